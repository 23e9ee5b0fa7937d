"""Invented suppliers with true duplicates and hard look-alikes, and the truth about them. Deterministic.

`python tests/bench/matching/generator.py --n 100000 --seed 7 --out suppliers.csv --truth truth.csv [--difficulty 1.0]`

suppliers.csv: record_id,source_system,source_key,name,alias,street,postcode,city,country,vat_id,registration_no,
               bank_account,phone,email,website
truth.csv:     record_id,entity_id,group_id,kind,ops
               entity_id: the legal entity (two records with one entity_id are duplicates)
               group_id: corporate family, series or set of namesakes (same group_id, other entity_id: hard negative)
               kind: standalone|family_xborder|family_division|series|homonym; ops: what was done to the record
Only the standard library and Faker's surname tables (MIT) are used. Same seed, n and Faker version: the same bytes.
Tax ids pass their national checksum and IBANs mod 97, unless `vat_typo` or `bank_typo` stands in ops.
"""

# Tables of words stand in long lines; the order of its random draws is fixed for good, so the code is left as it is.
# ruff: noqa: E501, E741, UP031

import argparse
import csv
import importlib
import random
import re
import unicodedata


# ---------------------------------------------------------------- tax ids (with real check digits)
def _d(r, n):
    return [r.randrange(10) for _ in range(n)]


def _s(a):
    return "".join(map(str, a))


def _luhn_cd(a):
    t = 0
    for i, x in enumerate(reversed(a)):
        if i % 2 == 0:
            x *= 2
            if x > 9:
                x -= 9
        t += x
    return (-t) % 10


def _iso7064_11_10(a):
    p = 10
    for x in a:
        s = (x + p) % 10 or 10
        p = (2 * s) % 11
    return (11 - p) % 10


def vat_DE(r):
    a = [r.randrange(1, 10)] + _d(r, 7)
    return "DE" + _s(a) + str(_iso7064_11_10(a))


def vat_AT(r):
    a = _d(r, 7)
    t = 0
    for i, x in enumerate(a):
        if i % 2:
            x = x * 2
            x = x // 10 + x % 10
        t += x
    return "ATU" + _s(a) + str((10 - (t + 4) % 10) % 10)


def vat_CH(r):
    while 1:
        a = [1] + _d(r, 7)
        c = sum(w * x for w, x in zip((5, 4, 3, 2, 7, 6, 5, 4), a, strict=False)) % 11
        c = (11 - c) % 11
        if c < 10:
            s = _s(a) + str(c)
            return "CHE" + s + "MWST"


def vat_FR(r):
    a = [r.choice((3, 4, 5, 7, 8, 9))] + _d(r, 7)
    a.append(_luhn_cd(a))
    s = _s(a)
    return "FR%02d%s" % ((12 + 3 * (int(s) % 97)) % 97, s)


def vat_IT(r):
    a = _d(r, 7)
    p = r.randrange(1, 100)
    a += [0, p // 10, p % 10]
    a.append(_luhn_cd(a))
    return "IT" + _s(a)


def vat_ES(r):
    l = r.choice("AB")
    a = _d(r, 7)
    t = 0
    for i, x in enumerate(a):
        if i % 2 == 0:
            x *= 2
            x = x // 10 + x % 10
        t += x
    return "ES" + l + _s(a) + str((10 - t % 10) % 10)


def vat_NL(r):
    while 1:
        a = [r.choice((0, 8))] + _d(r, 7)
        c = sum((9 - i) * x for i, x in enumerate(a)) % 11
        if c < 10:
            return "NL" + _s(a) + str(c) + "B01"


def vat_BE(r):
    a = "0" + _s([r.randrange(2, 9)] + _d(r, 6))
    return "BE%s%02d" % (a, 97 - int(a) % 97)


def vat_GB(r):
    a = [r.randrange(1, 10)] + _d(r, 6)
    t = sum((8 - i) * x for i, x in enumerate(a))
    return "GB%s%02d" % (_s(a), 97 - (t % 97))


def vat_IE(r):
    a = _d(r, 7)
    t = sum((8 - i) * x for i, x in enumerate(a))
    return "IE" + _s(a) + "WABCDEFGHIJKLMNOPQRSTUV"[t % 23]


def vat_PL(r):
    while 1:
        a = [r.randrange(1, 10)] + _d(r, 8)
        c = sum(w * x for w, x in zip((6, 5, 7, 2, 3, 4, 5, 6, 7), a, strict=False)) % 11
        if c < 10:
            return "PL" + _s(a) + str(c)


def vat_CZ(r):
    a = [r.choice((2, 4, 6))] + _d(r, 6)
    c = (11 - sum((8 - i) * x for i, x in enumerate(a)) % 11) % 10
    return "CZ" + _s(a) + str(c)


def vat_SE(r):
    a = [5, 5] + [r.randrange(2, 10)] + _d(r, 6)
    return "SE" + _s(a) + str(_luhn_cd(a)) + "01"


def vat_DK(r):
    while 1:
        a = [r.randrange(1, 10)] + _d(r, 6)
        c = (-sum(w * x for w, x in zip((2, 7, 6, 5, 4, 3, 2), a, strict=False))) % 11
        if c < 10:
            return "DK" + _s(a) + str(c)


def vat_FI(r):
    while 1:
        a = [r.choice((0, 1, 2))] + _d(r, 6)
        c = (-sum(w * x for w, x in zip((7, 9, 10, 5, 8, 4, 2), a, strict=False))) % 11
        if c < 10:
            return "FI" + _s(a) + str(c)


def vat_NO(r):
    while 1:
        a = [9] + _d(r, 7)
        c = (-sum(w * x for w, x in zip((3, 2, 7, 6, 5, 4, 3, 2), a, strict=False))) % 11
        if c < 10:
            return "NO" + _s(a) + str(c) + "MVA"


def vat_PT(r):
    a = [5] + _d(r, 7)
    c = (11 - sum((9 - i) * x for i, x in enumerate(a)) % 11) % 11 % 10
    return "PT" + _s(a) + str(c)


def vat_RO(r):
    a = [r.randrange(1, 10)] + _d(r, 6)
    c = 10 * sum(w * x for w, x in zip((7, 5, 3, 2, 1, 7, 5, 3, 2)[-7:], a, strict=False)) % 11 % 10
    return "RO" + _s(a) + str(c)


def vat_HU(r):
    a = [r.randrange(1, 10)] + _d(r, 6)
    c = (10 - sum(w * x for w, x in zip((9, 7, 3, 1, 9, 7, 3), a, strict=False)) % 10) % 10
    return "HU" + _s(a) + str(c)


def vat_GR(r):
    a = [r.choice((0, 9))] + _d(r, 7)
    c = 0
    for x in a:
        c = c * 2 + x
    return "EL" + _s(a) + str(c * 2 % 11 % 10)


def vat_BG(r):
    while 1:
        a = [r.choice((1, 2))] + _d(r, 7)
        c = sum((i + 1) * x for i, x in enumerate(a)) % 11
        if c == 10:
            c = sum((i + 3) * x for i, x in enumerate(a)) % 11 % 10
        return "BG" + _s(a) + str(c)


def vat_TR(r):
    a = [r.randrange(1, 10)] + _d(r, 8)
    t = 0
    for i, x in enumerate(a):
        y = (x + 9 - i) % 10
        if y:
            t += (y * 2 ** (9 - i)) % 9 or 9
    return _s(a) + str((10 - t % 10) % 10)


def vat_UA(r):
    a = [r.choice((2, 3, 4))] + _d(r, 6)
    n = int(_s(a) + "0")
    w = (7, 1, 2, 3, 4, 5, 6) if 30000000 < n < 60000000 else (1, 2, 3, 4, 5, 6, 7)
    c = sum(x * y for x, y in zip(w, a, strict=False)) % 11
    if c == 10:
        c = sum((x + 2) * y for x, y in zip(w, a, strict=False)) % 11 % 10
    return "UA" + _s(a) + str(c)


def vat_US(r):
    return "%02d-%07d" % (
        r.choice((10, 12, 20, 26, 30, 36, 41, 45, 52, 58, 61, 75, 81, 83, 91, 94)),
        r.randrange(1, 10**7),
    )


def vat_CA(r):
    a = [r.choice((1, 7, 8))] + _d(r, 7)
    return _s(a) + str(_luhn_cd(a)) + "RT0001"


def vat_AU(r):
    return _abn(r)


def _abn(r):
    w = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    b = _d(r, 9)
    t = sum(x * y for x, y in zip(w[2:], b, strict=False))
    for p in range(11, 100):
        if ((p // 10 - 1) * 10 + p % 10 + t) % 89 == 0:
            return str(p) + _s(b)
    return _abn(r)


_G = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_A = _G[10:]


def vat_IN(r):
    s = (
        r.choice(("27", "29", "07", "33", "24"))
        + "".join(r.choice(_A) for _ in range(3))
        + "C"
        + r.choice(_A)
        + "%04d" % r.randrange(1, 10000)
        + r.choice(_A)
        + "1Z"
    )
    t = 0
    for i, ch in enumerate(s):
        p = _G.index(ch) * (1 + i % 2)
        t += p // 36 + p % 36
    return s + _G[(36 - t % 36) % 36]


def vat_BR(r):
    a = _d(r, 8) + [0, 0, 0, 1]
    for w in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        c = 11 - sum(x * y for x, y in zip(w, a, strict=False)) % 11
        a.append(c if c < 10 else 0)
    return _s(a)


def vat_CN(r):
    al = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    s = "91" + r.choice(("440300", "310115", "110108", "330100", "320500")) + "".join(r.choice(al) for _ in range(9))
    t = sum(al.index(c) * (3**i % 31) for i, c in enumerate(s))
    return s + al[(31 - t % 31) % 31]


def vat_JP(r):
    a = _d(r, 12)
    t = sum(x * (1 if i % 2 == 0 else 2) for i, x in enumerate(reversed(a)))
    return "T" + str(9 - t % 9) + _s(a)


# ---------------------------------------------------------------- bank accounts
_IB = {
    "DE": "n18",
    "AT": "n16",
    "CH": "n17",
    "FR": "n23",
    "IT": "c1n22",
    "ES": "n20",
    "NL": "b4n10",
    "BE": "n12",
    "GB": "b4n14",
    "IE": "b4n14",
    "PL": "n24",
    "CZ": "n20",
    "SE": "n20",
    "DK": "n14",
    "FI": "n14",
    "NO": "n11",
    "PT": "n21",
    "RO": "b4n16",
    "HU": "n24",
    "GR": "n23",
    "BG": "b4n14",
    "TR": "n22",
    "UA": "n25",
}
_BK = {
    "NL": ("INGB", "RABO", "ABNA", "TRIO"),
    "GB": ("BARC", "HBUK", "LOYD", "NWBK"),
    "IE": ("AIBK", "BOFI"),
    "RO": ("BTRL", "RNCB"),
    "BG": ("UNCR", "BUIN"),
}


def _mk_banks(r):
    out = {}
    for c, f in _IB.items():  # a handful of bank codes per country -> shared IBAN prefixes, as in life
        m = re.match(r"(?:([bc])(\d+))?n(\d+)", f)
        n = int(m.group(3))
        pre = {"b": _BK.get(c, ("",)), "c": ("X", "M", "K", "B")}.get(m.group(1), ("",))
        out[c] = [(p + _s(_d(r, 6)), n - 6) for p in pre for _ in range(12)]
    return out


def iban(r, c, banks):
    if c in banks:
        p, n = r.choice(banks[c])
        b = p + _s(_d(r, n))
        num = int("".join(str(_G.index(x)) for x in b + c) + "00")
        return "%s%02d%s" % (c, 98 - num % 97, b)
    if c == "US":
        a = [0] + _d(r, 7)
        t = sum(w * x for w, x in zip((3, 7, 1, 3, 7, 1, 3, 7), a, strict=False))
        return _s(a) + str(-t % 10) + "/" + _s(_d(r, 10))
    return _s(_d(r, 6)) + "-" + _s(_d(r, 10))


# ---------------------------------------------------------------- country tables
# forms: list of (weight, canonical, [variants], prefix?)
C = {}


def ctry(code, w, dial, loc, pc, cities, street, forms, words, conj, name):
    C[code] = {
        "w": w,
        "dial": dial,
        "loc": loc,
        "pc": pc,
        "cities": cities.split("|"),
        "street": street,
        "forms": forms,
        "words": words.split("|"),
        "conj": conj,
        "name": name.split("|"),
    }


def F(w, c, v, pre=False):
    return (w, c, v.split("|"), pre)


DEF = [
    F(60, "GmbH", "G.m.b.H.|Gesellschaft mit beschränkter Haftung|Gmbh|GMBH|Ges.m.b.H.|mbH"),
    F(16, "GmbH & Co. KG", "GmbH & Co KG|Gmbh & Co.Kg|GmbH u. Co. KG|GmbH + Co. KG|GmbH&Co.KG|KG"),
    F(8, "AG", "A.G.|Aktiengesellschaft|Ag"),
    F(4, "KG", "K.G.|Kommanditgesellschaft"),
    F(4, "e.K.", "e. K.|eK|e.Kfm.|eingetragener Kaufmann"),
    F(4, "UG (haftungsbeschränkt)", "UG|UG haftungsbeschränkt|Unternehmergesellschaft"),
    F(2, "SE", "Societas Europaea|S.E."),
    F(2, "GbR", "GbR|Gesellschaft bürgerlichen Rechts"),
]
GEN = "International|Holding|Group|Solutions|Systems|Services|Consulting|Technologies|Trading|Logistics|Engineering"
ctry(
    "DE",
    22,
    "49",
    "de_DE",
    "5",
    "Berlin:10|Hamburg:20|München:80|Köln:50|Frankfurt am Main:60|Stuttgart:70|Düsseldorf:40|Leipzig:04|Dortmund:44|Essen:45|Bremen:28|Dresden:01|Hannover:30|Nürnberg:90|Duisburg:47|Bochum:44|Wuppertal:42|Bielefeld:33|Münster:48|Karlsruhe:76|Mannheim:68|Augsburg:86|Gütersloh:33|Göppingen:73|Tübingen:72",
    "DE",
    DEF,
    "Maschinenbau|Elektrotechnik|Logistik|Transporte|Spedition|Handelsgesellschaft|Bau|Metallbau|Werkzeugbau|Verpackungen|Kunststofftechnik|Gebäudereinigung|Sicherheitsdienst|Druckerei|Softwareentwicklung|Beratung|Verwaltungsgesellschaft|Industrieservice|Stahlhandel|Fördertechnik|Anlagenbau|Büromöbel|Großhandel|Prüftechnik|"
    + GEN,
    "&",
    "Deutschland|Germany",
)
ctry(
    "AT",
    4,
    "43",
    "de_AT",
    "4",
    "Wien:1|Graz:80|Linz:40|Salzburg:50|Innsbruck:60|Klagenfurt:90|Wels:46|St. Pölten:31",
    "DE",
    [
        F(70, "GmbH", "Ges.m.b.H.|Gesellschaft m.b.H.|GesmbH|G.m.b.H."),
        F(15, "AG", "Aktiengesellschaft"),
        F(15, "GmbH & Co KG", "GmbH & Co. KG|Ges.m.b.H. & Co. KG"),
    ],
    "Maschinenbau|Logistik|Transporte|Bau|Handels|Elektrotechnik|Beratung|Gebäudetechnik|" + GEN,
    "&",
    "Österreich|Austria",
)
ctry(
    "CH",
    4,
    "41",
    "de_CH",
    "4",
    "Zürich:80|Basel:40|Bern:30|Genève:12|Lausanne:10|Winterthur:84|Luzern:60|St. Gallen:90",
    "DE",
    [F(60, "AG", "A.G.|Aktiengesellschaft|SA"), F(35, "GmbH", "G.m.b.H.|Sàrl|GMBH"), F(5, "SA", "S.A.|AG")],
    "Maschinenbau|Treuhand|Logistik|Präzisionstechnik|Bau|Uhren|Informatik|" + GEN,
    "&",
    "Schweiz|Switzerland",
)
ctry(
    "FR",
    11,
    "33",
    "fr_FR",
    "5",
    "Paris:75|Lyon:69|Marseille:13|Toulouse:31|Nice:06|Nantes:44|Strasbourg:67|Montpellier:34|Bordeaux:33|Lille:59|Rennes:35|Reims:51|Saint-Étienne:42|Grenoble:38|Dijon:21|Orléans:45",
    "FR",
    [
        F(40, "SAS", "S.A.S.|Société par Actions Simplifiée|S.A.S|SASU"),
        F(35, "SARL", "S.A.R.L.|Société à responsabilité limitée|Sarl|EURL"),
        F(15, "SA", "S.A.|Société Anonyme"),
        F(6, "SCI", "S.C.I.|Société Civile Immobilière", True),
        F(4, "SNC", "S.N.C."),
    ],
    "Industrie|Mécanique|Logistique|Transports|Bâtiment|Distribution|Électricité|Nettoyage|Sécurité|Imprimerie|Informatique|Conseil|Emballage|Métallurgie|Immobilier|Outillage|Négoce|"
    + GEN,
    "et",
    "France|France",
)
ctry(
    "IT",
    8,
    "39",
    "it_IT",
    "5",
    "Milano:201|Roma:001|Torino:101|Napoli:801|Bologna:401|Firenze:501|Genova:161|Verona:371|Padova:351|Brescia:251|Bergamo:241|Modena:411|Forlì:471",
    "IT",
    [
        F(55, "S.r.l.", "SRL|S.R.L.|Srl|Società a responsabilità limitata"),
        F(30, "S.p.A.", "SPA|S.P.A.|SpA|Società per Azioni"),
        F(8, "S.n.c.", "SNC|Snc"),
        F(7, "S.a.s.", "SAS|Sas"),
    ],
    "Meccanica|Impianti|Trasporti|Costruzioni|Servizi|Elettronica|Imballaggi|Officine|Pulizie|Arredamenti|Commerciale|Industriale|Metallurgica|Stampaggio|"
    + GEN,
    "e",
    "Italia|Italy",
)
ctry(
    "ES",
    6,
    "34",
    "es_ES",
    "5",
    "Madrid:280|Barcelona:080|Valencia:460|Sevilla:410|Zaragoza:500|Málaga:290|Bilbao:480|A Coruña:150|Cádiz:110",
    "ES",
    [
        F(65, "S.L.", "SL|S.L|Sociedad Limitada|S.L.U."),
        F(30, "S.A.", "SA|S.A|Sociedad Anónima"),
        F(5, "S. Coop.", "S.Coop|Cooperativa"),
    ],
    "Construcciones|Transportes|Logística|Servicios|Ingeniería|Suministros|Distribuciones|Instalaciones|Maquinaria|Informática|Gestión|Comercial|"
    + GEN,
    "y",
    "España|Spain",
)
ctry(
    "NL",
    5,
    "31",
    "nl_NL",
    "NL",
    "Amsterdam:10|Rotterdam:30|Utrecht:35|Eindhoven:56|Den Haag:25|Tilburg:50|Groningen:97|Breda:48",
    "NL",
    [
        F(80, "B.V.", "BV|B.V|Besloten Vennootschap"),
        F(12, "N.V.", "NV|Naamloze Vennootschap"),
        F(8, "V.O.F.", "VOF|vof"),
    ],
    "Transport|Techniek|Bouw|Beheer|Handelsonderneming|Installaties|Schoonmaak|Machinefabriek|Verpakkingen|Vastgoed|Advies|"
    + GEN,
    "en",
    "Nederland|Netherlands",
)
ctry(
    "BE",
    3,
    "32",
    "nl_BE",
    "4",
    "Bruxelles:10|Antwerpen:20|Gent:90|Liège:40|Charleroi:60|Brugge:80|Leuven:30",
    "NL",
    [F(45, "NV", "N.V.|SA|S.A."), F(45, "BV", "BVBA|B.V.|SRL|SPRL"), F(10, "CV", "CVBA|SC")],
    "Transport|Bouw|Techniek|Logistics|Industrie|Immo|Services|" + GEN,
    "&",
    "België|Belgium",
)
ctry(
    "GB",
    9,
    "44",
    "en_GB",
    "GB",
    "London:EC|Birmingham:B|Manchester:M|Leeds:LS|Glasgow:G|Sheffield:S|Bristol:BS|Liverpool:L|Edinburgh:EH|Cardiff:CF|Nottingham:NG|Newcastle upon Tyne:NE",
    "EN",
    [
        F(75, "Limited", "Ltd|Ltd.|LTD|LIMITED"),
        F(10, "PLC", "plc|P.L.C.|Public Limited Company"),
        F(12, "LLP", "L.L.P.|Limited Liability Partnership"),
        F(3, "CIC", "C.I.C."),
    ],
    "Engineering|Manufacturing|Construction|Transport|Facilities Management|Cleaning Services|Security|Print|Packaging|Plumbing & Heating|Electrical Contractors|Recruitment|Properties|Estates|Investments|Wholesale|"
    + GEN,
    "and",
    "UK|United Kingdom",
)
ctry(
    "IE",
    1.5,
    "353",
    "en_IE",
    "IE",
    "Dublin:D|Cork:T|Galway:H|Limerick:V",
    "EN",
    [F(80, "Limited", "Ltd|Ltd.|Teoranta"), F(15, "DAC", "Designated Activity Company|D.A.C."), F(5, "PLC", "plc")],
    "Engineering|Construction|Pharma|Foods|Services|Leasing|" + GEN,
    "and",
    "Ireland|Ireland",
)
ctry(
    "US",
    10,
    "1",
    "en_US",
    "5",
    "New York:100|Los Angeles:900|Chicago:606|Houston:770|Phoenix:850|Philadelphia:191|San Antonio:782|Dallas:752|Austin:787|Columbus:432|Charlotte:282|Seattle:981|Denver:802|Boston:021|Detroit:482|Portland:972|Atlanta:303|Miami:331",
    "US",
    [
        F(40, "Inc.", "Inc|Incorporated|INC.|, Inc."),
        F(38, "LLC", "L.L.C.|Llc|Limited Liability Company|, LLC"),
        F(14, "Corporation", "Corp|Corp.|CORP"),
        F(8, "Co.", "Company|Co"),
    ],
    "Manufacturing|Industries|Industrial Supply|Construction|Transportation|Electric|Staffing|Janitorial Services|Packaging|Machine Works|Properties|Realty|Distributors|Associates|Enterprises|"
    + GEN,
    "and",
    "USA|America",
)
ctry(
    "CA",
    2,
    "1",
    "en_CA",
    "CA",
    "Toronto:M|Montréal:H|Vancouver:V|Calgary:T|Ottawa:K",
    "US",
    [F(60, "Inc.", "Inc|Incorporated|Incorporée"), F(25, "Ltd.", "Ltd|Limited|Ltée"), F(15, "Corp.", "Corporation")],
    "Manufacturing|Industries|Supply|Construction|Transport|Mining|" + GEN,
    "and",
    "Canada|Canada",
)
ctry(
    "AU",
    1.5,
    "61",
    "en_AU",
    "4",
    "Sydney:20|Melbourne:30|Brisbane:40|Perth:60",
    "EN",
    [F(85, "Pty Ltd", "Pty. Ltd.|Proprietary Limited|P/L|PTY LTD"), F(15, "Limited", "Ltd")],
    "Mining Services|Engineering|Constructions|Transport|Group|Supplies|" + GEN,
    "and",
    "Australia|Australia",
)
ctry(
    "PL",
    5,
    "48",
    "pl_PL",
    "PL",
    "Warszawa:00|Kraków:30|Łódź:90|Wrocław:50|Poznań:60|Gdańsk:80|Szczecin:70|Katowice:40|Rzeszów:35",
    "PL",
    [
        F(75, "Sp. z o.o.", "Spółka z ograniczoną odpowiedzialnością|sp. z o. o.|SP. ZOO|Sp.z o.o."),
        F(15, "S.A.", "SA|Spółka Akcyjna"),
        F(10, "Sp. k.", "sp.k.|Spółka Komandytowa|Sp. z o.o. Sp. k."),
    ],
    "Przedsiębiorstwo Produkcyjne|Zakład Usługowy|Usługi|Transport|Budownictwo|Hurtownia|Metal|Opakowania|" + GEN,
    "i",
    "Polska|Poland",
)
ctry(
    "CZ",
    3,
    "420",
    "cs_CZ",
    "5",
    "Praha:110|Brno:602|Ostrava:702|Plzeň:301|Liberec:460",
    "PL",
    [
        F(75, "s.r.o.", "spol. s r.o.|s. r. o.|SRO|společnost s ručením omezeným"),
        F(25, "a.s.", "akciová společnost|a. s.|AS"),
    ],
    "Strojírna|Doprava|Stavby|Služby|Obchod|Výroba|" + GEN,
    "a",
    "Česko|Czech Republic",
)
ctry(
    "SE",
    2.5,
    "46",
    "sv_SE",
    "5",
    "Stockholm:111|Göteborg:411|Malmö:211|Uppsala:753|Örebro:702|Västerås:722",
    "SE",
    [F(92, "AB", "Aktiebolag|A.B.|Ab"), F(8, "HB", "Handelsbolag")],
    "Verkstad|Bygg|Transport|Industri|Förvaltning|Elektronik|Fastigheter|" + GEN,
    "&",
    "Sverige|Sweden",
)
ctry(
    "DK",
    1.5,
    "45",
    "da_DK",
    "4",
    "København:21|Aarhus:80|Odense:50|Aalborg:90",
    "SE",
    [F(65, "ApS", "APS|Anpartsselskab|Aps."), F(35, "A/S", "AS|Aktieselskab|A.S.")],
    "Maskinfabrik|Byg|Transport|Ejendomme|Handel|" + GEN,
    "og",
    "Danmark|Denmark",
)
ctry(
    "FI",
    1.5,
    "358",
    "fi_FI",
    "5",
    "Helsinki:001|Espoo:021|Tampere:331|Turku:201|Jyväskylä:401",
    "SE",
    [F(85, "Oy", "OY|Osakeyhtiö|Oy Ab"), F(15, "Oyj", "Abp|Julkinen osakeyhtiö")],
    "Konepaja|Rakennus|Kuljetus|Kiinteistöt|Teollisuus|" + GEN,
    "ja",
    "Suomi|Finland",
)
ctry(
    "NO",
    1.5,
    "47",
    "no_NO",
    "4",
    "Oslo:01|Bergen:50|Trondheim:70|Tromsø:90",
    "SE",
    [F(85, "AS", "A/S|Aksjeselskap"), F(15, "ASA", "Allmennaksjeselskap")],
    "Mekaniske|Bygg|Transport|Eiendom|Offshore|" + GEN,
    "og",
    "Norge|Norway",
)
ctry(
    "PT",
    2,
    "351",
    "pt_PT",
    "PT",
    "Lisboa:10|Porto:40|Braga:47|Coimbra:30|Setúbal:29",
    "ES",
    [F(75, "Lda.", "Lda|Limitada|LDA"), F(25, "S.A.", "SA|Sociedade Anónima")],
    "Construções|Transportes|Serviços|Indústria|Comércio|Metalomecânica|" + GEN,
    "e",
    "Portugal|Portugal",
)
ctry(
    "RO",
    2,
    "40",
    "ro_RO",
    "6",
    "București:01|Cluj-Napoca:40|Timișoara:30|Iași:70|Brașov:50",
    "RO",
    [F(85, "SRL", "S.R.L.|S.C. SRL"), F(15, "SA", "S.A.")],
    "Construcții|Transport|Servicii|Producție|Comerț|" + GEN,
    "și",
    "România|Romania",
)
ctry(
    "HU",
    2,
    "36",
    "hu_HU",
    "4",
    "Budapest:10|Debrecen:40|Szeged:67|Győr:90|Pécs:76",
    "PL",
    [F(85, "Kft.", "Kft|Korlátolt Felelősségű Társaság|KFT"), F(15, "Zrt.", "Zrt|Zártkörűen Működő Részvénytársaság")],
    "Gépgyártó|Szállítás|Építőipari|Kereskedelmi|Szolgáltató|" + GEN,
    "és",
    "Magyarország|Hungary",
)
ctry(
    "GR",
    1.5,
    "30",
    "el_GR",
    "5",
    "Αθήνα:104|Θεσσαλονίκη:546|Πάτρα:262|Ηράκλειο:712",
    "GR",
    [F(50, "Α.Ε.", "ΑΕ|Ανώνυμη Εταιρεία|S.A.|SA"), F(50, "Ε.Π.Ε.", "ΕΠΕ|Ltd|E.P.E.")],
    "Κατασκευές|Μεταφορές|Εμπορική|Βιομηχανία|Υπηρεσίες|Τεχνική",
    "και",
    "Ελλάδα|Greece",
)
ctry(
    "BG",
    1.5,
    "359",
    "bg_BG",
    "4",
    "София:10|Пловдив:40|Варна:90|Бургас:80",
    "BG",
    [F(75, "ООД", "ЕООД|OOD|Ltd|Дружество с ограничена отговорност"), F(25, "АД", "AD|Акционерно дружество|JSC")],
    "Транспорт|Строителство|Търговия|Инженеринг|Машиностроене|Услуги",
    "и",
    "България|Bulgaria",
)
ctry(
    "UA",
    1.5,
    "380",
    "uk_UA",
    "5",
    "Київ:010|Львів:790|Харків:610|Одеса:650|Дніпро:490",
    "BG",
    [F(80, "ТОВ", "Товариство з обмеженою відповідальністю|TOV|LLC", True), F(20, "ПАТ", "ПрАТ|PAT|PJSC", True)],
    "Транспорт|Будівництво|Торгівля|Інжиніринг|Машинобудування|Послуги",
    "та",
    "Україна|Ukraine",
)
ctry(
    "TR",
    2,
    "90",
    "tr_TR",
    "5",
    "İstanbul:34|Ankara:06|İzmir:35|Bursa:16|Kocaeli:41",
    "TR",
    [F(55, "A.Ş.", "AŞ|AS|Anonim Şirketi|A.S."), F(45, "Ltd. Şti.", "Ltd Sti|Limited Şirketi|LTD. STI.|Ltd.Şti")],
    "Sanayi ve Ticaret|Makina|Lojistik|İnşaat|Tekstil|Otomotiv|" + GEN,
    "ve",
    "Türkiye|Turkey",
)
ctry(
    "CN",
    3,
    "86",
    None,
    "6",
    "深圳:518|上海:200|北京:100|杭州:310|苏州:215|宁波:315|广州:510",
    "CN",
    [
        F(90, "有限公司", "Co., Ltd.|Co.,Ltd|CO LTD|Company Limited|Co Ltd"),
        F(10, "股份有限公司", "Co., Ltd.|Joint Stock Co., Ltd.|Inc."),
    ],
    "科技|电子|贸易|机械|塑料|包装|物流|实业",
    "",
    "China|China",
)
ctry(
    "IN",
    3,
    "91",
    "en_IN",
    "6",
    "Mumbai:400|Delhi:110|Bengaluru:560|Chennai:600|Pune:411|Ahmedabad:380",
    "EN",
    [
        F(80, "Private Limited", "Pvt Ltd|Pvt. Ltd.|P Ltd|PVT LTD|(P) Ltd"),
        F(12, "Limited", "Ltd|Ltd."),
        F(8, "LLP", "L.L.P."),
    ],
    "Enterprises|Industries|Engineers|Exports|Infotech|Traders|Chemicals|Polymers|" + GEN,
    "and",
    "India|India",
)
ctry(
    "BR",
    2,
    "55",
    "pt_BR",
    "BR",
    "São Paulo:01|Rio de Janeiro:20|Curitiba:80|Belo Horizonte:30|Porto Alegre:90",
    "ES",
    [F(75, "Ltda.", "Ltda|LTDA|Limitada|Ltda - ME"), F(25, "S.A.", "SA|S/A|Sociedade Anônima")],
    "Indústria e Comércio|Construções|Transportes|Serviços|Metalúrgica|Distribuidora|" + GEN,
    "e",
    "Brasil|Brazil",
)
ctry(
    "JP",
    1.5,
    "81",
    None,
    "7",
    "Tokyo:100|Osaka:530|Nagoya:450|Yokohama:220",
    "JP",
    [F(70, "Co., Ltd.", "Kabushiki Kaisha|K.K.|KK|Co Ltd|株式会社"), F(30, "Corporation", "Corp.|Corp|K.K.")],
    "Seisakusho|Kogyo|Shoji|Denki|Kagaku|Seiki|Unyu|Sangyo",
    "&",
    "Japan|Japan",
)
VAT = {c: globals()["vat_" + c] for c in C}
CC = list(C)
CW = [C[c]["w"] for c in CC]


def _cum(w):
    t, o = 0, []
    for x in w:
        t += x
        o.append(t)
    return o


CCUM = _cum(CW)
for _c in C.values():
    _c["fcum"] = _cum([f[0] for f in _c["forms"]])

# pinyin table for CN brand characters and words
PY = dict(
    zip(
        "华鑫宏达盛恒泰瑞信诚金龙海天星光明远东方新中联合创力科宝丰顺福安永利兴隆德康美佳富腾飞云智博亿源通润嘉凯",
        "hua xin hong da sheng heng tai rui xin cheng jin long hai tian xing guang ming yuan dong fang xin zhong lian he chuang li ke bao feng shun fu an yong li xing long de kang mei jia fu teng fei yun zhi bo yi yuan tong run jia kai".split(),
        strict=False,
    )
)
PYC = list(PY)
CNW = {
    "科技": "Technology",
    "电子": "Electronics",
    "贸易": "Trading",
    "机械": "Machinery",
    "塑料": "Plastics",
    "包装": "Packaging",
    "物流": "Logistics",
    "实业": "Industrial",
}
CNC = {
    "深圳": "Shenzhen",
    "上海": "Shanghai",
    "北京": "Beijing",
    "杭州": "Hangzhou",
    "苏州": "Suzhou",
    "宁波": "Ningbo",
    "广州": "Guangzhou",
}
CYR1 = dict(
    zip(
        "абвгдежзийклмнопрстуфхцчшщъьюяіїєґ",
        "a b v g d e zh z i y k l m n o p r s t u f h ts ch sh sht a y yu ya i yi ye g".split(),
        strict=False,
    )
)
CYR2 = dict(CYR1, х="kh", щ="shch", ъ="", ь="", й="i", ю="iu", я="ia", ц="c", и="y", є="ie", г="h")
GRK1 = dict(
    zip("αβγδεζηθικλμνξοπρστυφχψως", "a v g d e z i th i k l m n x o p r s t y f ch ps o s".split(), strict=False)
)
GRK2 = dict(GRK1, β="b", η="e", υ="u", φ="ph", χ="h", δ="dh")
WORD_EN = {
    "Транспорт": "Transport",
    "Строителство": "Construction",
    "Търговия": "Trading",
    "Инженеринг": "Engineering",
    "Κατασκευές": "Constructions",
    "Μεταφορές": "Transport",
    "Εμπορική": "Trading",
    "Τεχνική": "Technical",
    "Будівництво": "Construction",
    "Торгівля": "Trading",
}


def _tl(s, m):
    o = []
    for ch in s:
        l = unicodedata.normalize("NFD", ch.lower())[0] if ch.lower() not in m else ch.lower()
        if l in m:
            x = m[l]
            o.append(x.capitalize() if ch != ch.lower() else x)
        else:
            o.append(ch)
    return "".join(o)


def romanise(s, c, r):
    if c == "GR":
        return _tl(s, r.choice((GRK1, GRK2)))
    return _tl(s, r.choice((CYR1, CYR2)))


ABBR = {
    "International": "Intl|Int.|Internat.",
    "Technologies": "Tech|Technology|Techn.",
    "Manufacturing": "Mfg|Manuf.|Mfg.",
    "Services": "Svcs|Serv.|Service",
    "Solutions": "Sol.|Soln",
    "Systems": "Sys|System",
    "Engineering": "Eng.|Engg|Engrg",
    "Construction": "Constr.|Const",
    "Consulting": "Cons.|Consultants",
    "Logistics": "Log.|Logistic",
    "Group": "Grp|Grp.|Gruppe",
    "Holding": "Hldg|Holdings|Hold.",
    "Industries": "Ind.|Inds|Industry",
    "Transport": "Transp.|Trans",
    "Transportation": "Transp.|Trans",
    "Trading": "Trdg|Trade",
    "Enterprises": "Ent.|Enterprise",
    "Associates": "Assoc.|Assocs",
    "Distributors": "Dist.|Distr",
    "Properties": "Props|Property",
    "Industrial Supply": "Ind. Supply|Indl Supply",
    "Maschinenbau": "Masch.bau|Maschb.|Maschinen-Bau",
    "Elektrotechnik": "E-Technik|Elektrotechn.|El.-Technik",
    "Handelsgesellschaft": "Handelsges.|Handels|HG",
    "Verwaltungsgesellschaft": "Verwaltungs|Verw.ges.|VG",
    "Logistik": "Log.|Logistics",
    "Transporte": "Transp.|Transport",
    "Gebäudereinigung": "Geb.reinigung|Gebäudereinig.",
    "Beratung": "Berat.|Consulting",
    "Transports": "Transp.|Tpts",
    "Bâtiment": "Bat.|Batim.",
    "Distribution": "Distrib.|Dist",
    "Industrie": "Ind.|Indus.",
    "Costruzioni": "Costr.|Costruz.",
    "Trasporti": "Trasp.|Autotrasporti",
    "Construcciones": "Constr.|Const.",
    "Transportes": "Transp.|Tptes",
    "Servicios": "Serv.|Svcios",
    "Przedsiębiorstwo Produkcyjne": "PP|P.P.|Przeds. Prod.",
    "Zakład Usługowy": "ZU|Z.U.",
    "Sanayi ve Ticaret": "San. ve Tic.|San.Tic.|San. Tic.",
    "Indústria e Comércio": "Ind. e Com.|Ind. Com.",
    "Private": "Pvt",
    "Facilities Management": "FM|Facilities Mgmt",
    "Electrical Contractors": "Elec. Contractors|Electrical",
    "Engineers": "Engrs",
    "Recruitment": "Recruit.",
}
ABBR = {k: v.split("|") for k, v in ABBR.items()}
STREET = {
    "DE": (
        "{n}straße {h}|{n}str. {h}|{n}strasse {h}",
        [
            "Haupt",
            "Bahnhof",
            "Industrie",
            "Garten",
            "Schul",
            "Berg",
            "Goethe",
            "Schiller",
            "Mozart",
            "Linden",
            "Wiesen",
            "Ring",
            "Kirch",
            "Daimler",
            "Siemens",
            "Robert-Bosch-",
            "Max-Planck-",
            "Hafen",
        ],
    ),
    "FR": (
        "{h} rue {n}|{h}, Rue {n}|{h} r. {n}",
        [
            "de la République",
            "Victor Hugo",
            "Pasteur",
            "de la Gare",
            "Jean Jaurès",
            "des Lilas",
            "du Moulin",
            "de l’Industrie",
            "Gambetta",
            "du Général Leclerc",
            "de Verdun",
        ],
    ),
    "IT": (
        "Via {n}, {h}|Via {n} {h}|V. {n} {h}",
        [
            "Roma",
            "Garibaldi",
            "Mazzini",
            "dell'Industria",
            "Verdi",
            "Marconi",
            "Cavour",
            "Dante Alighieri",
            "Galileo Galilei",
            "dell'Artigianato",
        ],
    ),
    "ES": (
        "Calle {n}, {h}|C/ {n} {h}|Cl. {n}, {h}",
        [
            "Mayor",
            "Real",
            "de Alcalá",
            "San Juan",
            "de la Industria",
            "Cervantes",
            "del Sol",
            "Colón",
            "Gran Vía",
            "Goya",
        ],
    ),
    "NL": (
        "{n}straat {h}|{n}str. {h}|{n}str {h}",
        ["Kerk", "Dorps", "School", "Molen", "Nijverheids", "Industrie", "Stations", "Haven", "Prins Hendrik"],
    ),
    "EN": (
        "{h} {n} Road|{h} {n} Rd|{h} {n} Rd.",
        ["Station", "High", "Church", "Victoria", "Park", "Mill", "Queens", "Kings", "London", "Industrial", "Green"],
    ),
    "US": (
        "{h} {n} Street|{h} {n} St|{h} {n} St.",
        [
            "Main",
            "Oak",
            "Maple",
            "Washington",
            "Lincoln",
            "2nd",
            "5th",
            "Industrial",
            "Jefferson",
            "Commerce",
            "Cedar",
            "Lake",
        ],
    ),
    "PL": (
        "ul. {n} {h}|{n} {h}|Ul {n} {h}",
        ["Polna", "Leśna", "Słoneczna", "Krótka", "Szkolna", "Ogrodowa", "Przemysłowa", "Fabryczna", "Kościuszki"],
    ),
    "SE": (
        "{n}gatan {h}|{n}g. {h}|{n}gatan {h} B",
        ["Stor", "Kungs", "Drottning", "Industri", "Skol", "Järnvägs", "Hamn", "Kyrko"],
    ),
    "RO": (
        "Str. {n} nr. {h}|Strada {n} {h}|Str {n} Nr {h}",
        ["Mihai Eminescu", "Libertății", "Unirii", "Fabricii", "Victoriei"],
    ),
    "GR": ("{n} {h}|Οδός {n} {h}|{n} {h}", ["Ερμού", "Αθηνών", "Παπάγου", "Κηφισίας", "Συγγρού"]),
    "BG": (
        "ул. {n} {h}|{n} {h}|бул. {n} №{h}",
        ["Шевченка", "Витоша", "България", "Промислова", "Индустриална", "Миру"],
    ),
    "TR": (
        "{n} Cad. No:{h}|{n} Caddesi No: {h}|{n} Cd. {h}",
        ["Atatürk", "İstiklal", "Cumhuriyet", "Organize Sanayi", "Bağdat"],
    ),
    "CN": ("No. {h} {n} Road|{h} {n} Rd|{n}路{h}号", ["Zhongshan", "Renmin", "Jianshe", "Gongye", "Keji", "Xinhua"]),
    "JP": ("{h} {n}|{h}, {n}|{n} {h}", ["Chuo-ku", "Minato-ku", "Kita-ku", "Naka-ku", "Shibaura", "Marunouchi"]),
}
STREET = {k: (a.split("|"), b) for k, (a, b) in STREET.items()}
SYL_A = "a al an ar as ba bel ben bo bra bri ca cel cen cor da del do dra du e el en er ex fa fer fi flo for ga gen glo gra he hel ho in is ja ka kel ko kra la le li lo lu ma mar me mi mo na ne nor no o om or pa per pe pla po pra pro ra re ri ro sa se si so sta ste su ta te ti to tra tri u ul va ve vi vol xa xe ze zo".split()
SYL_B = "ba ca co da de di do fa ga go ka ko la le li lo ma me mi mo na ne ni no ra re ri ro sa se si so ta te ti to va ve vi vo za tra tro dri bri cre".split()
SYL_C = "x n r s l m tec tek tron dyn lex max nix rix sys plan con form med pharm bio soft net data fer gas lux mar nova pol quip rad san sol ton vex via wer zon ria lia tis nor dal berg stad vale mont".split()
GEO = "Nord|Süd|West|Ost|Rhein|Alpen|Baltic|Atlantic|Euro|Trans|Inter|Global|Uni|Central|Pacific|Nordic|Iberia|Danube|Adria|Alpha|Delta|Omega|Prime|First|Royal|Star|Premier|Apex|Summit|Pioneer|United|Blue|Green|Red|Silver|Golden".split(
    "|"
)
FREE = (
    "gmail.com",
    "gmx.de",
    "yahoo.com",
    "outlook.com",
    "hotmail.com",
    "t-online.de",
    "orange.fr",
    "libero.it",
    "web.de",
    "wp.pl",
)
ROM = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI"]
DIV = [
    "Logistics",
    "Real Estate",
    "Services",
    "Finance",
    "Energy",
    "Industrial",
    "Digital",
    "Medical",
    "Trading",
    "Consulting",
    "Automotive",
    "Packaging",
    "Chemicals",
    "Immobilien",
    "Beteiligungs",
    "Verwaltungs",
    "Holding",
    "Europe",
    "International",
]
LEG = ("SAP_ECC", "ORACLE_EBS", "NAVISION", "COUPA", "LEGACY_AP")
SCUM = _cum((34, 22, 16, 16, 12))
KEYS = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnm",
        (
            "wa",
            "qes",
            "wrd",
            "etf",
            "ryg",
            "tuh",
            "yij",
            "uok",
            "ipl",
            "ol",
            "qsz",
            "adw",
            "sfe",
            "dgr",
            "fht",
            "gjy",
            "hku",
            "jli",
            "ko",
            "xas",
            "zcs",
            "xvd",
            "cbf",
            "vng",
            "bmh",
            "nj",
        ),
        strict=False,
    )
)
TRM = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "ß": "ss",
        "ø": "oe",
        "å": "aa",
        "æ": "ae",
        "Ø": "Oe",
        "Å": "Aa",
        "ł": "l",
        "Ł": "L",
        "ı": "i",
    }
)
STM = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i", "đ": "d", "’": "'"})


def strip_dia(s):
    if s.isascii():
        return s
    return "".join(ch for ch in unicodedata.normalize("NFKD", s.translate(STM)) if not unicodedata.combining(ch))


_slugre = re.compile(r"[^a-z0-9]+")


class Gen:
    def __init__(self, seed, difficulty=1.0):
        self.r = random.Random(seed)
        self.k = difficulty
        self.banks = _mk_banks(self.r)
        self.sur = {}
        for c, d in C.items():
            l = d["loc"]
            names = None
            if l:
                for lo in (l, l.replace("nl_BE", "nl_NL"), "en_US"):
                    try:
                        P = importlib.import_module("faker.providers.person." + lo).Provider
                        names = sorted({str(x) for x in list(P.last_names)})
                        break
                    except Exception:
                        continue
            if not names:
                names = [
                    "Tanaka",
                    "Suzuki",
                    "Sato",
                    "Yamada",
                    "Kobayashi",
                    "Ito",
                    "Watanabe",
                    "Nakamura",
                    "Kato",
                    "Yoshida",
                    "Matsumoto",
                    "Inoue",
                    "Kimura",
                    "Hayashi",
                    "Shimizu",
                    "Mori",
                    "Abe",
                    "Ikeda",
                    "Hashimoto",
                    "Ishikawa",
                    "Ogawa",
                    "Okada",
                ]
            self.r.shuffle(names)
            self.sur[c] = names
        self.factor = {c: [iban(self.r, c, self.banks) for _ in range(25)] for c in CC}  # factoring companies' accounts
        self.offices = {c: [self.addr0(c) for _ in range(60)] for c in CC}  # registered-office providers
        self.eid = 0
        self.gid = 0

    def surname(self, c):
        n = self.sur[c]
        return (
            n[min(int(self.r.paretovariate(0.55)) - 1, 10**6) % len(n)] if self.r.random() < 0.5 else self.r.choice(n)
        )

    def brand(self):
        r = self.r
        x = r.random()
        if x < 0.12:
            return "".join(r.choice("ABCDEFGHIKLMNPRSTVWXZ") for _ in range(r.choice((2, 3, 3, 3, 4))))
        s = r.choice(SYL_A) + r.choice(SYL_B)
        if x < 0.55:
            s += r.choice(SYL_C)
        elif x < 0.9:
            s += r.choice(SYL_B) + r.choice(SYL_C)
        return s.capitalize()

    def stem(self, c):
        """legal name without form: list of tokens (each may hold spaces)"""
        r = self.r
        d = C[c]
        x = r.random()
        w = d["words"]
        if c == "CN":
            b = "".join(r.choice(PYC) for _ in range(r.choice((2, 2, 3))))
            return ["@CN", b, r.choice(w)]
        if c in ("GR", "BG", "UA"):
            if x < 0.5:
                return [self.surname(c), r.choice(w)]
            return (
                [self.surname(c) + " " + d["conj"] + " " + self.surname(c), r.choice(w)]
                if x < 0.7
                else [r.choice(w), self.surname(c)]
            )
        if x < 0.20:
            return [self.surname(c), r.choice(w)]
        if x < 0.26:
            return [self.surname(c) + " " + d["conj"] + " " + self.surname(c)] + (
                [r.choice(w)] if r.random() < 0.6 else []
            )
        if x < 0.30:
            return [
                r.choice(
                    {
                        "DE": ("Gebr.", "Autohaus", "Schreinerei"),
                        "FR": ("Ets", "Établissements", "Garage"),
                        "IT": ("F.lli", "Officine", "Ditta"),
                        "ES": ("Hnos.", "Talleres", "Hermanos"),
                    }.get(d["street"], ("Bros", "Sons of", "House of"))
                ),
                self.surname(c),
            ]
        if x < 0.62:
            return [self.brand(), r.choice(w)]
        if x < 0.72:
            return [self.brand()]
        if x < 0.82:
            return (
                [r.choice(GEO), r.choice(w)]
                if r.random() < 0.45
                else [r.choice(GEO) + r.choice(("", " ")) + self.brand().lower().capitalize(), r.choice(w)]
            )
        if x < 0.90:
            return [self.brand(), r.choice(w), r.choice(w)]
        return [
            r.choice(d["cities"]).split(":")[0].split(" ")[0]
            + ("er" if d["street"] == "DE" and r.random() < 0.7 else ""),
            r.choice(w),
        ]

    def addr0(self, c):
        r = self.r
        d = C[c]
        city, p = r.choice(d["cities"]).split(":")
        f = d["pc"]
        if f.isdigit():
            pc = (p + _s(_d(r, int(f))))[: int(f)]
        elif f == "NL":
            pc = p + "%02d " % r.randrange(100) + r.choice("ABCDEGHJKLMNPRSTVWXZ") + r.choice("ABCDEGHJKLMNPRSTVWXZ")
        elif f == "GB":
            pc = "%s%d %d%s%s" % (
                p,
                r.randrange(1, 30),
                r.randrange(10),
                r.choice("ABDEFGHJLNPQRSTUWXYZ"),
                r.choice("ABDEFGHJLNPQRSTUWXYZ"),
            )
        elif f == "IE":
            pc = "%s%02d %s%s%02d" % (
                p,
                r.randrange(1, 25),
                r.choice("ACDEFHKNPRTVWXY"),
                r.choice("ACDEFHKNPRTVWXY"),
                r.randrange(100),
            )
        elif f == "CA":
            pc = "%s%d%s %d%s%d" % (
                p,
                r.randrange(10),
                r.choice("ABCEGHJKLMNPRSTVWXYZ"),
                r.randrange(10),
                r.choice("ABCEGHJKLMNPRSTVWXYZ"),
                r.randrange(10),
            )
        elif f == "PL":
            pc = "%s-%03d" % (p, r.randrange(1000))
        elif f == "PT":
            pc = "%s%02d-%03d" % (p, r.randrange(100), r.randrange(1000))
        else:
            pc = "%s%03d-%03d" % (p, r.randrange(1000), r.randrange(1000))
        fm, st = STREET[d["street"]]
        n = (
            r.choice(st)
            if r.random() < 0.55
            else (self.surname(c) + ("-" if d["street"] == "DE" else " " if d["street"] in ("NL", "SE") else ""))
        )
        h = str(r.randrange(1, 180)) + (r.choice("abc") if r.random() < 0.08 else "")
        if d["street"] in ("US",):
            h = str(r.randrange(1, 9900))
        return (n, h, pc, city)

    def phone0(self, c):
        r = self.r
        return (C[c]["dial"], _s([r.randrange(1, 10)] + _d(r, r.choice((1, 2)))), _s(_d(r, r.choice((6, 7)))))

    def entity(self, c, stem, form=None, addr=None, phone=None, domain=None, bank=None, kind="standalone", vat=None):
        r = self.r
        d = C[c]
        if form is None:
            form = r.choices(d["forms"], cum_weights=d["fcum"])[0]
        self.eid += 1
        if domain is None:
            x = r.random()
            if x < 0.78:
                t = stem[1] if stem[0] == "@CN" else stem[0]
                t = (
                    "".join(PY.get(ch, ch) for ch in t)
                    if stem[0] == "@CN"
                    else (romanise(t, c, r) if c in ("GR", "BG", "UA") else t)
                )
                sl = _slugre.sub("", strip_dia(t.translate(TRM)).lower()) or "firm"
                if len(stem) > 1 and r.random() < 0.55:
                    sl += r.choice(("-", "")) + (
                        _slugre.sub("", strip_dia(stem[-1].translate(TRM)).lower())[: r.choice((4, 6, 12))] or "co"
                    )
                domain = (
                    sl[:28]
                    + "."
                    + r.choice(
                        (c.lower() if c != "GB" else "co.uk", c.lower() if c != "GB" else "co.uk", "com", "com", "eu")
                    )
                )
            elif x < 0.9:
                domain = "@" + r.choice(FREE)
            else:
                domain = ""
        if bank is None:
            bank = r.choice(self.factor[c]) if r.random() < 0.015 else iban(r, c, self.banks)
        if addr is None:
            addr = r.choice(self.offices[c]) if r.random() < 0.04 else self.addr0(c)
        return {
            "id": self.eid,
            "c": c,
            "stem": stem,
            "form": form,
            "addr": addr,
            "phone": phone or self.phone0(c),
            "dom": domain,
            "bank": bank,
            "vat": vat or VAT[c](r),
            "reg": self.regno(c),
            "kind": kind,
            "gid": self.gid,
            "dba": None,
            "addr2": None,
            "bank2": None,
        }

    def regno(self, c):
        r = self.r
        n = r.randrange(1000, 10**6)
        if c in ("DE", "AT"):
            return "HR%s %d" % (r.choice("AB"), n)
        if c == "GB":
            return "%08d" % r.randrange(10**7, 15 * 10**6)
        return "%s%07d" % (r.choice(("", "", "R", "J40/")), r.randrange(10**7))

    def group(self):
        """-> list of entities forming one group (family / series / homonyms / single)"""
        r = self.r
        self.gid += 1
        x = r.random()
        c = r.choices(CC, cum_weights=CCUM)[0]
        if x < 0.80:
            return [self.entity(c, self.stem(c))]
        if x < 0.86 and c not in ("CN", "GR", "BG", "UA"):  # cross border family: Acme Germany GmbH / Acme France SAS
            b = self.brand() if r.random() < 0.7 else self.surname(c)
            dom = _slugre.sub("", strip_dia(b.translate(TRM)).lower()) + ".com"
            w = r.choice(GEN.split("|")) if r.random() < 0.4 else None
            out = []
            ho = self.addr0(c)
            style = r.random()
            for cc in [c] + r.sample(
                [q for q in CC if q not in ("CN", "GR", "BG", "UA", c)], r.choice((1, 2, 2, 3, 4, 5))
            ):
                st = [b] + ([w] if w else [])
                if style < 0.6:
                    st = (
                        st + [r.choice(C[cc]["name"])]
                        if style < 0.45
                        else [b, r.choice(C[cc]["name"])] + ([w] if w else [])
                    )
                out.append(
                    self.entity(
                        cc,
                        st,
                        domain=dom if r.random() < 0.8 else None,
                        addr=ho if (r.random() < 0.12) else None,
                        kind="family_xborder",
                    )
                )
            return out
        if x < 0.91:  # same country divisions, shared head office / phone / cash pool bank / VAT group
            ho = self.addr0(c)
            st0 = self.stem(c)
            ph = self.phone0(c)
            out = []
            if c in ("CN", "GR", "BG", "UA"):
                return [self.entity(c, st0)]
            b = st0[0]
            dom = _slugre.sub("", strip_dia(b.translate(TRM)).lower())[:24] + "." + c.lower()
            bank = iban(r, c, self.banks)
            pool = r.random() < 0.15
            vg = VAT[c](r) if r.random() < 0.06 else None
            for dv in r.sample(DIV, r.choice((2, 2, 3, 4))):
                p2 = (ph[0], ph[1], ph[2][:-2] + "%02d" % r.randrange(100))
                out.append(
                    self.entity(
                        c,
                        [b, dv],
                        addr=ho if r.random() < 0.7 else None,
                        phone=p2 if r.random() < 0.7 else None,
                        domain=dom if r.random() < 0.9 else None,
                        bank=bank if pool else None,
                        kind="family_division",
                        vat=vg,
                    )
                )
            return out
        if x < 0.94:  # numbered series: funds, property companies, SPVs
            if c in ("CN", "GR", "BG", "UA"):
                c = "DE"
            b = self.brand() if r.random() < 0.6 else r.choice(GEO) + " " + self.surname(c)
            ho = self.addr0(c)
            ph = self.phone0(c)
            dom = _slugre.sub("", strip_dia(b.translate(TRM)).lower())[:24] + ".com"
            pat = r.choice(
                (
                    "{b} Fund {R}",
                    "{b} Immobilien {n}",
                    "{b} Solarpark {n}",
                    "{b} Real Estate {R}",
                    "{n}. {b} Verwaltungs",
                    "{b} Properties {n}",
                    "{b} Invest {R}",
                    "{b} Windpark {L}",
                )
            )
            form = r.choices(C[c]["forms"], cum_weights=C[c]["fcum"])[0]
            s = r.randrange(0, 9)
            k = r.choice((2, 3, 4, 5, 6, 8))
            out = []
            for i in range(s, min(s + k, 16)):
                nm = pat.format(b=b, R=ROM[i], n=i + 1, L="ABCDEFGHIJKLMNOPQ"[i])
                out.append(
                    self.entity(
                        c,
                        nm.split(" "),
                        form=form,
                        addr=ho,
                        phone=ph if r.random() < 0.8 else None,
                        domain=dom,
                        kind="series",
                    )
                )
            return out
        st = self.stem(c)
        form = r.choices(C[c]["forms"], cum_weights=C[c]["fcum"])[
            0
        ]  # homonyms: one name, unrelated companies elsewhere
        return [
            self.entity(c, list(st), form=form if r.random() < 0.6 else None, kind="homonym")
            for _ in range(r.choice((2, 2, 2, 3)))
        ]

    # ------------------------------------------------------------ rendering + corruption
    def typo(self, s):
        r = self.r
        if len(s) < 5:
            return s
        for _ in range(8):
            i = r.randrange(1, len(s) - 1)
            if s[i].isalpha() and s[i - 1] != " ":
                break
        else:
            return s
        x = r.random()
        ch = s[i]
        if x < 0.28:
            return s[:i] + s[i + 1 :]
        if x < 0.48:
            return s[:i] + ch + s[i:]
        if x < 0.72 and s[i + 1] != " ":
            return s[:i] + s[i + 1] + ch + s[i + 2 :]
        k = KEYS.get(ch.lower())
        if not k:
            return s[:i] + s[i + 1 :]
        y = r.choice(k)
        return s[:i] + (y.upper() if ch.isupper() else y) + s[i + 1 :]

    def name(self, e, first, ops):
        r = self.r
        k = 0.35 if first else self.k
        c = e["c"]
        d = C[c]
        stem = e["stem"]
        fw, fc, fv, pre = e["form"]
        romanised = False
        if c == "CN":
            city = e["addr"][3]
            if r.random() < 0.30:
                return f"{city}市{stem[1]}{stem[2]}{fc}"
            ops.append("translit")
            py = [PY[x] for x in stem[1]]
            b = ("".join(py) if r.random() < 0.7 else " ".join(py)).title()
            toks = [CNC[city]] * (r.random() < 0.75) + [b, CNW[stem[2]]]
            fc = r.choice(fv)
            romanised = True
        elif c in ("GR", "BG", "UA"):
            toks = list(stem)
            if r.random() < 0.5:
                ops.append("translit")
                romanised = True
                toks = [WORD_EN[t] if t in WORD_EN and r.random() < 0.4 else romanise(t, c, r) for t in toks]
                lat = [v for v in fv if v.isascii()]
                fc = r.choice(lat) if lat else fc
        else:
            toks = list(stem)
        if e["dba"] and not first and r.random() < 0.55 * min(k, 1):
            x = r.random()
            if x < 0.6:
                ops.append("dba_only")
                return e["dba"]
            ops.append("dba_both")
            return "{} {} {}".format(" ".join(toks), r.choice(("dba", "d/b/a", "t/a", "trading as", "-")), e["dba"])
        if r.random() < 0.20 * k:
            nt = [(r.choice(ABBR[t]) if t in ABBR and r.random() < 0.8 else t) for t in toks]
            if nt != toks:
                toks = nt
                ops.append("abbr")
        series = e["kind"] == "series"
        if len(toks) > 1 and not series and r.random() < 0.07 * k:
            toks = toks[1:] + toks[:1]
            ops.append("swap")
        if len(toks) > 2 and not series and r.random() < 0.10 * k:
            del toks[r.randrange(1, len(toks))]
            ops.append("drop")
        elif len(toks) == 2 and e["kind"] in ("standalone", "homonym") and len(toks[0]) > 3 and r.random() < 0.06 * k:
            toks = toks[:1]
            ops.append("drop")
        if len(toks) > 1 and not series and r.random() < 0.05 * k:
            toks = [toks[0] + r.choice(("", "-")) + (toks[1].lower() if r.random() < 0.3 else toks[1])] + toks[2:]
            ops.append("join")
        s = " ".join(toks)
        if not romanised and r.random() < 0.35 * k:
            for a in (" & ", " und ", " et ", " and ", " e ", " y ", " en ", " i ", " + "):
                if a in s:
                    s = s.replace(a, r.choice((" & ", " + ", " " + d["conj"] + " ", " and ", "&")), 1)
                    ops.append("conj")
                    break
        if len(toks) >= 3 and not series and r.random() < 0.025 * k:
            ini = "".join(w[0] for w in s.replace("&", " ").split() if w[0].isalpha()).upper()
            if len(ini) >= 3:
                s = ini
                ops.append("acronym")
        if not first and r.random() < 0.20 * k and not series:
            s = self.typo(s)
            ops.append("typo")
            if r.random() < 0.2:
                s = self.typo(s)
                ops.append("typo2")
        elif series and not first and r.random() < 0.1 * k:
            p = s.split(" ")
            i = max(range(len(p)), key=lambda q: len(p[q]))
            p[i] = self.typo(p[i])
            s = " ".join(p)
            ops.append("typo")
        x = r.random()
        if x < 0.22 * k:
            ops.append("form_drop")
            pre = None
        elif x < 0.62 * (k + 0.1):
            fc = r.choice(fv)
            ops.append("form_var")
        elif x < 0.65 * k:
            fc = r.choice(d["forms"])[1]
            ops.append("form_wrong")
        if pre is not None:
            s = (
                (fc + " " + ((f'"{s}"') if c == "UA" and r.random() < 0.6 else s))
                if pre and r.random() < 0.8
                else (s + ("" if fc[0] == "," else " ") + fc)
            )
        y = r.random()
        if y < 0.04 * k:
            s += " " + e["addr"][3]
            ops.append("city_suffix")
        elif y < 0.065 * k:
            s += r.choice(
                (
                    " - DO NOT USE",
                    " (old)",
                    " *BLOCKED*",
                    " - neu",
                    " (duplicate)",
                    " - Werk 2",
                    ", Accounts Dept",
                    " c/o Zentrale",
                    " #2",
                )
            )
            ops.append("noise")
        elif y < 0.08 * k:
            s = r.choice(("Fa. ", "The ", "M/s ", "Firma ")) + s
            ops.append("prefix")
        return s

    def record(self, e, first, src):
        r = self.r
        ops = []
        k = 1.0 if first else self.k
        c = e["c"]
        d = C[c]
        nm = self.name(e, first, ops)
        alias = ""
        if e["dba"] and r.random() < 0.25:
            alias = e["dba"]
        a = e["addr"]
        if not first and e["addr2"] and r.random() < 0.6:
            a = e["addr2"]
            ops.append("addr2")
        fm = STREET[d["street"]][0]
        n, h, pc, city = a
        st = (fm[0] if r.random() < 0.6 else r.choice(fm)).format(n=n, h=h)
        if c == "CN":
            city = city if r.random() < 0.3 else CNC.get(city, city)
        if c in ("GR", "BG", "UA") and r.random() < 0.5:
            city = romanise(city, c, r)
            st = romanise(st, c, r)
        z = r.random()
        if z < 0.07 * k:
            st = ""
            ops.append("no_street")
        elif z < 0.11 * k:
            st = r.choice(("Postfach %d", "PO Box %d", "P.O. Box %d", "BP %d")) % r.randrange(10, 9999)
            ops.append("pobox")
        elif z < 0.18 * k:
            st = self.typo(st)
            ops.append("street_typo")
        elif z < 0.22 * k:
            st = st + r.choice((", 2nd floor", ", Gebäude B", " / 3. OG", ", Suite 200", " Haus 4", ", Unit 7"))
            ops.append("street_extra")
        z = r.random()
        if z < 0.06 * k:
            pc = ""
            ops.append("no_pc")
        elif z < 0.085 * k:
            pc = self.dig(pc)
            ops.append("pc_typo")
        elif z < 0.12:
            pc = c + "-" + pc
        if r.random() < 0.03 * k:
            city = self.typo(city)
            ops.append("city_typo")
        elif r.random() < 0.03 * k:
            city = ""
        v = e["vat"]
        z = r.random()
        miss = {"SAP_ECC": 0.18, "ORACLE_EBS": 0.35, "NAVISION": 0.3, "COUPA": 0.4, "LEGACY_AP": 0.75}[src]
        if z < miss:
            v = ""
        elif r.random() < 0.03 * k:
            v = self.dig(v)
            ops.append("vat_typo")
        elif r.random() < 0.25:
            if v[:2].isalpha():
                v = v[2:] if r.random() < 0.4 else v[:2] + " " + v[2:5] + " " + v[5:8] + " " + v[8:]
            else:
                v = v.replace("-", "")
        g = e["reg"] if r.random() < 0.25 else ""
        b = e["bank"]
        if not first and e["bank2"] and r.random() < 0.6:
            b = e["bank2"]
            ops.append("bank_changed")
        miss = {"SAP_ECC": 0.25, "ORACLE_EBS": 0.4, "NAVISION": 0.35, "COUPA": 0.6, "LEGACY_AP": 0.5}[src]
        if r.random() < miss:
            b = ""
        elif r.random() < 0.012 * k:
            b = self.dig(b)
            ops.append("bank_typo")
        elif r.random() < 0.3:
            b = " ".join(b[i : i + 4] for i in range(0, len(b), 4))
        ph = ""
        if r.random() > 0.32:
            di, ar, lo = e["phone"]
            if not first and r.random() < 0.25:
                lo = lo[:-2] + "%02d" % r.randrange(100)
                ops.append("phone_ext")
            ph = r.choice(
                ("+{0} {1} {2}", "+{0}{1}{2}", "00{0} {1} {2}", "0{1}/{2}", "0{1} {2}", "+{0} (0) {1} {2}", "0{1}-{2}")
            ).format(di, ar, lo)
        em = web = ""
        if e["dom"]:
            if e["dom"][0] == "@":
                if r.random() < 0.6:
                    em = "%s%d%s" % (r.choice(("info.", "office", "firma", "sales")), e["id"] % 9973, e["dom"])
            else:
                if r.random() < 0.55:
                    em = (
                        r.choice(("info", "info", "sales", "rechnung", "accounts", "office", "ar", "kontakt"))
                        + "@"
                        + e["dom"]
                    )
                if r.random() < 0.28:
                    web = r.choice(("www.", "https://www.", "http://", "")) + e["dom"]
        co = c
        if r.random() < 0.02 * k:
            co = ""
        if src == "SAP_ECC":
            nm = nm[:35]
            if r.random() < 0.35:
                nm = nm.upper()
                st = st.upper()
                city = city.upper()
            st = st[:35]
            sk = "%010d" % (100000 + r.randrange(9 * 10**6))
        elif src == "ORACLE_EBS":
            nm, st, city = nm.upper(), st.upper(), city.upper()
            sk = str(r.randrange(10**4, 10**7))
        elif src == "LEGACY_AP":
            if r.random() < 0.6:
                nm, st, city = nm.translate(TRM), st.translate(TRM), city.translate(TRM)
                ops.append("ascii_ue")
            nm, st, city = strip_dia(nm), strip_dia(st), strip_dia(city)
            nm = nm.upper()[:30]
            st = st[:25]
            sk = "V%06d" % r.randrange(10**6)
        else:
            sk = src[:1] + "-%d" % r.randrange(10**4, 10**8)
        if not nm.isascii():
            z = r.random()
            if z < 0.12:
                nm = strip_dia(nm)
                st = strip_dia(st)
                city = strip_dia(city)
                ops.append("dia_strip")
            elif z < 0.22:
                nm = nm.translate(TRM)
                st = st.translate(TRM)
                city = city.translate(TRM)
                ops.append("dia_ue")
            elif z < 0.225:
                try:
                    nm = nm.encode("utf8").decode("cp1252")
                    ops.append("mojibake")
                except UnicodeDecodeError:
                    pass
        return (src, sk, nm.strip(), alias, st, pc, city, co, v, g, b, ph, em, web), "|".join(ops)

    def dig(self, s):
        r = self.r
        idx = [i for i, ch in enumerate(s) if ch.isdigit()]
        if len(idx) < 3:
            return s
        i = r.choice(idx[1:])
        if r.random() < 0.5:
            return s[:i] + str((int(s[i]) + r.randrange(1, 10)) % 10) + s[i + 1 :]
        j = idx[idx.index(i) - 1]
        a = list(s)
        a[i], a[j] = a[j], a[i]
        return "".join(a)

    def run(self, n):
        r = self.r
        rows = []
        SZ = (1, 2, 3, 4, 5, 6, 8)
        SC = _cum((66, 20, 7.5, 3.5, 1.6, 0.9, 0.5))
        while len(rows) < n:
            for e in self.group():
                m = r.choices(SZ, cum_weights=SC)[0]
                if m > 1:
                    if r.random() < 0.10:
                        e["dba"] = (
                            " ".join([self.brand(), r.choice(C[e["c"]]["words"])][: r.choice((1, 2, 2))])
                            if e["c"] not in ("CN",)
                            else self.brand()
                        )
                    if r.random() < 0.28:
                        e["addr2"] = self.addr0(e["c"])
                    if r.random() < 0.22:
                        e["bank2"] = iban(r, e["c"], self.banks)
                for i in range(m):
                    rec, ops = self.record(e, i == 0, r.choices(LEG, cum_weights=SCUM)[0])
                    rows.append((rec, e["id"], e["gid"], e["kind"], ops))
        del rows[n:]
        r.shuffle(rows)
        return rows


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--n", type=int, default=10000)
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--out", default="suppliers.csv")
    ap.add_argument("--truth", default="truth.csv")
    ap.add_argument("--difficulty", type=float, default=1.0)
    a = ap.parse_args()
    rows = Gen(a.seed, a.difficulty).run(a.n)
    with open(a.out, "w", newline="", encoding="utf8") as f, open(a.truth, "w", newline="", encoding="utf8") as t:
        w = csv.writer(f)
        v = csv.writer(t)
        w.writerow(
            "record_id source_system source_key name alias street postcode city country vat_id registration_no bank_account phone email website".split()
        )
        v.writerow("record_id entity_id group_id kind ops".split())
        for i, (rec, e, g, k, o) in enumerate(rows, 1):
            w.writerow((i,) + rec)
            v.writerow((i, e, g, k, o))


if __name__ == "__main__":
    main()
