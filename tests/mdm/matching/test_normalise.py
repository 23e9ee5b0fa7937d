"""Normalising: what is taken off a name, what two systems write differently, which numbers are valid."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.matching import Engine
from mdm.matching.identifiers import (
    canonical_account,
    canonical_identifier,
    canonical_phone,
    canonical_tax_id,
    is_free_mail,
    web_domain,
)
from mdm.matching.legal_forms import stated_form
from mdm.matching.names import MOST_WORDS, parse_name, split_aliases
from mdm.matching.places import clean_city, clean_postcode, split_street
from mdm.matching.scripts import fold, skeleton
from tests.mdm.matching.configs import blind_index, supplier_config


@pytest.mark.parametrize(
    ("raw", "words", "form", "numbers", "places"),
    [
        ("Müller Maschinenbau G.m.b.H. & Co. KG", ["muller", "maschinenbau"], "gmbhcokg", [], []),
        ("Acme Gesellschaft mit beschränkter Haftung", ["acme"], "gmbh", [], []),
        ("ACME GESELLSCHAFT MIT BESCHR", ["acme"], "gmbh", [], []),
        ("Bowne de Mexico S.A. de C.V.", ["bowne"], "sacv", [], ["MX"]),
        ("ООО «Байкал»", ["baikal"], "ooo", [], []),
        ("Blackstone Partners V L.P.", ["blackstone", "partners"], "lp", ["5"], []),
        ("Alpha Fund IV", ["alpha", "fund"], "", ["4"], []),
        ("7. Ludricon Verwaltungs GmbH", ["ludricon", "verwaltungs"], "gmbh", ["7"], []),
        ("Novak Nord Ltd", ["novak"], "ltd", ["north"], []),
        ("SiemensAG", ["siemens"], "ag", [], []),
        ("Fa. Keller (old)", ["keller"], "", [], []),
        ("Acme GmbH - DO NOT USE", ["acme"], "gmbh", [], []),
        ("Pérez y Hijos S.L.", ["perez", "hijos"], "sl", [], []),
        ("深圳龙云电子有限公司", ["shenzhen", "longyun", "electronics"], "ltdcn", [], []),
        ("MÃ¼ller AG", ["muller"], "ag", [], []),
        ("Limited Ltd", ["limited"], "ltd", [], []),
        ("Germany", ["germany"], "", [], ["DE"]),
    ],
)
def test_names_come_apart(raw, words, form, numbers, places):
    parts = parse_name(raw)
    assert (list(parts.words), parts.form) == (words, form)
    assert (list(parts.numbers), list(parts.places)) == (numbers, places)


def test_the_own_city_is_no_part_of_the_name():
    cities = frozenset({clean_city("München")})
    assert parse_name("Keller AG München", cities) == parse_name("Keller AG", cities)
    assert parse_name("München", cities).words == ("munchen",)


def test_other_names_are_split_off():
    assert split_aliases("Kessler Ltd t/a Quick Print") == ["Kessler Ltd", "Quick Print"]
    assert split_aliases("Kessler DBA Quick") == ["Kessler", "Quick"]
    assert split_aliases("Alba Data") == ["Alba Data"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Müller", "Mueller"), ("Юлия", "Iuliya"), ("Παπαδόπουλος", "Papadopoulos"), ("Kovač", "Kovac"),
     ("Schwarz", "Schwartz"), ("Łódź", "Lodz"), ("Крылов", "Krilov")],
)  # fmt: skip
def test_spellings_of_one_word_sound_the_same(one, other):
    assert skeleton(fold(one)) == skeleton(fold(other))


def test_folding_twice_changes_nothing_and_invisible_marks_go():
    for text in ("Ärger & Søn", "Ελλάς", "ЩУКА", "한국", "a\u200bb\u202ec"):
        assert fold(fold(text)) == fold(text)
    assert fold("a\u200bb\u202ec") == "abc"


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("DE 136 695 976", "DE", ("DE", "136695976", 1)),
        ("136695976", "DE", ("DE", "136695976", 1)),
        ("DE136695977", "DE", ("DE", "136695977", 0)),
        ("GB434031494", "", ("GB", "434031494", 1)),
        ("CHE-107.787.577 MWST", "CH", ("CH", "107787577", 1)),
        ("EL 094259216", "GR", ("GR", "094259216", 1)),
        ("NL 004495445B01", "NL", ("NL", "004495445B01", 1)),
        ("12-3456789", "US", ("US", "123456789", 1)),
        ("XY123", "QQ", ("QQ", "XY123", None)),
    ],
)
def test_tax_ids_come_out_once_with_their_validity(number, country, expected):
    assert canonical_tax_id(number, country) == expected


@pytest.mark.parametrize("placeholder", ["", "000000000", "N/A", "1111111", "-"])
def test_placeholders_are_no_tax_ids(placeholder):
    assert canonical_tax_id(placeholder, "DE") is None


def test_addresses():
    assert split_street("Hauptstr. 12a") == split_street("HAUPTSTRASSE 12") == ("haupt", "12", "")
    assert split_street("4644 S. Dearborn St.") == split_street("4644 South Dearborn") == ("dearborn", "4644", "s")
    assert split_street("Via Canova, 154") == ("kanova", "154", "")
    assert split_street("PO Box 123") == ("", "", "")
    assert split_street("26 rue du Général Leclerc, 2nd floor")[1] == "26"
    assert clean_postcode("D-80331", "DE") == clean_postcode("DE-80331", "DE") == "80331"
    assert clean_postcode("60622-1234", "US") == "60622"
    assert clean_city("Paris Cedex 12") == clean_city("PARIS")
    assert clean_city("Köln") == clean_city("Cologne") == clean_city("Koeln")


def test_phones_and_domains():
    assert canonical_phone("+49 (0) 89 / 123-4567") == canonical_phone("+49 89 1234567") == "49891234567"
    assert canonical_phone("089 1234567", "DE") == canonical_phone("0049 89 1234567", "FR") == "49891234567"
    assert canonical_phone("49 89 1234567", "DE") == "49891234567"
    assert (
        canonical_phone("06 12345678", "IT") == canonical_phone("+39 06 12345678") == canonical_phone("+39 6 12345678")
    )
    assert canonical_phone("1-312-555-1234 x12", "US") == canonical_phone("+1 (312) 555 1234") == "13125551234"
    assert canonical_phone("(312) 555-1234") == "25551234"  # of no known country: the last eight
    assert canonical_phone("8 (495) 123-45-67", "RU") == canonical_phone("+7 495 1234567") == "74951234567"
    assert canonical_phone("n/a") == canonical_phone("0000000") == canonical_phone("0000000", "DE") == ""
    assert web_domain("https://www.shop.acme.co.uk/x?y") == web_domain("info@acme.co.uk") == "acme.co.uk"
    assert web_domain("info@müller.de") == web_domain("https://xn--mller-kva.de") == "xn--mller-kva.de"
    assert web_domain("none") == web_domain("a@b") == web_domain("10.0.0.1") == ""
    assert is_free_mail("gmx.de") and is_free_mail("facebook.com") and not is_free_mail("acme.de")


def test_identifiers_and_accounts_carry_their_validity():
    assert canonical_identifier("D-U-N-S", "1-2345-678") == ("DUNS", "012345678", 1)
    assert canonical_identifier("DUNS", "12345678901") == ("DUNS", "12345678901", 0)
    assert canonical_identifier("lei", "5299 00T8BM49AURSDO55") == ("LEI", "529900T8BM49AURSDO55", 1)
    assert canonical_identifier("LEI", "529900T8BM49AURSDO56") == ("LEI", "529900T8BM49AURSDO56", 0)
    assert canonical_identifier("HRB", "München 12345") == ("HRB", "MÜNCHEN12345", None)
    assert canonical_identifier("", "0000") is None
    assert canonical_account("DE89 3704 0044 0532 0130 00") == ("DE89370400440532013000", 1)
    assert canonical_account("IBAN DE88 3704 0044 0532 0130 00") == ("DE88370400440532013000", 0)
    assert canonical_account("12-345678") == ("12345678", None)
    assert canonical_account("000000000") is None and canonical_account("n/a") is None


def test_an_account_is_hashed_with_its_validity_and_never_kept():
    document = {
        "legal_name": "Acme",
        "bank_accounts": [{"iban": "DE89 3704 0044 0532 0130 00"}, {"iban": "DE88370400440532013000"}],
    }
    features = Engine(supplier_config(), hasher=blind_index).features(document)
    assert features["banks"] == [
        [blind_index("DE89370400440532013000"), "3000"],
        [blind_index("DE88370400440532013000"), "3000"],
    ]
    assert features["banks_valid"] == [1, 0]
    assert "0532" not in str(features)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Brigade Forty-Four", "Brigade 44"), ("Brigade Forty 4", "Brigade 44"), ("3%ers", "Three Percenters"),
        ("One Hundred Acres Ltd", "100 Acres Limited"), ("Twenty-First Century Fox", "21st Century Fox Inc."),
        ("1st Int'l Bank", "First International Bank"), ("H & M", "H and M"), ("Canal+ SA", "Canal Plus S.A."),
        ("Natl. Gov't Svcs LLC", "National Government Services LLC"), ("Smith Bros. Mfg", "Smith Brothers Manufacturing"),
        ("Dt. Bank No. 5", "Dt. Bank 5"), ("Economic Co-operation", "Economic Cooperation"),
        ("U.S. Steel", "United States Steel"), ("U.K. Coal", "UK Coal"), ("Centre for Defence", "Center for Defense"),
        ("Assurances Générales", "General Insurance"), ("Acme Versicherung AG", "Acme Insurance AG"),
        ("A.B.C. Company", "ABC Co."), ("Good\u00adwill", "Goodwill"), ("ΑΚΜΕ Τράπεζα", "Akme Bank"),
    ],
)  # fmt: skip
def test_what_systems_write_differently_comes_out_once(one, other):
    left, right = parse_name(one), parse_name(other)
    assert (sorted(left.core), left.numbers, left.places) == (sorted(right.core), right.numbers, right.places) or (
        left.joined == right.joined and left.numbers == right.numbers
    )


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("Сургутнефтегаз", "surgutneftegaz"), ("Київ", "kiiv"), ("Ђорђе Његош", "djordje njegosh"),
        ("България ЩИТ", "balgariya shtit"), ("объект Щит", "obekt shchit"), ("Μυτιληναίος", "mytilinaios"),
        ("أرامكو", "aramko"), ("الفطيم", "al ftim"), ("הפועלים", "hpoalim"), ("בע״מ", "bam"),
        ("深圳", "shenzhen"), ("トヨタ", "toyota"), ("きょうと", "kyouto"), ("ティーガイア", "tigaia"), ("ﾄﾖﾀ", "toyota"),
        ("삼성", "samsung"), ("현대", "hyundae"), ("한국", "hanguk"), ("Ａｃｍｅ", "acme"), ("٣٤", "34"),
        ("İstanbul", "istanbul"), ("ไทย", "aithy"), ("საქართველო", "sakartvelo"),
    ],
)  # fmt: skip
def test_every_script_becomes_latin(text, latin):
    assert fold(text) == latin


def test_east_asian_names_are_cut_at_the_words_companies_are_made_of():
    assert parse_name("トヨタ自動車株式会社").core == parse_name("Toyota Motor Corporation").core
    assert parse_name("华为技术有限公司").core == parse_name("Huawei Technologies Co., Ltd.").core
    assert parse_name("삼성전자 주식회사").core == parse_name("Samsung Electronics Co., Ltd.").core
    assert parse_name("深圳市龙云科技", frozenset({clean_city("Shenzhen")})).words == ("longyun", "technology")
    assert parse_name("有限公司").words == ("youxiangongsi",)  # never emptied


def test_forms_of_the_public_lists_count_at_home():
    assert parse_name("Verkko Oü", country="EE").words == ("verkko",)
    assert parse_name("Verkko Oü").words == ("verkko", "ou")
    assert parse_name("Eesti Energia Aktsiaselts").form == "as"
    assert stated_form("2HBR") == parse_name("Acme GmbH").form == "gmbh"
    features = Engine(supplier_config()).features({"legal_name": "Acme", "legal_form": "2HBR"})
    assert features["form"] == "gmbh"


def test_initials_stand_for_a_name():
    assert "bmw" in parse_name("Bayerische Motoren Werke AG").initials
    assert "ccb" in parse_name("China Construction Bank Corporation").initials
    features = Engine(supplier_config()).features({"legal_name": "International Business Machines Corp. (IBM)"})
    assert [name["show"] for name in features["names"]] == ["International Business Machines Corp.", "IBM"]
    assert {name["initials"] for name in features["names"]} == {"ibm"}


# What an honest or a hostile person may type: every script, marks, invisible characters, numbers, signs.
_PIECES = "Acme GmbH Co KG Ltd Fund II North 4 de la the Bank Forty One Hundred A B y ООО".split()
_ALPHABETS = st.one_of(
    st.text(max_size=80),
    st.text(st.sampled_from("aeioubcdfgls&-./' 4VIXÄößłжщъьїαουςْאבم深圳市ト한 \u200b\u202e\u0301😀"), max_size=60),
    st.lists(st.sampled_from(_PIECES), max_size=9).map(" ".join),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(_ALPHABETS)
def test_any_name_is_taken_apart_into_plain_words(text):
    parts = parse_name(text)
    assert all(word and word.isascii() for word in (*parts.core, *parts.words, *parts.numbers))
    assert len(parts.core) == len(parts.words) <= MOST_WORDS
    assert fold(fold(text)) == fold(text)


@settings(max_examples=400, deadline=None)
@given(_ALPHABETS)
def test_taking_a_name_apart_again_keeps_its_words(text):
    once = parse_name(text)
    again = parse_name(" ".join(once.words))
    for _ in range(MOST_WORDS):  # what a form or a number had covered may come to the end, and off; nothing is added
        assert len(again.core) <= len(once.core)
        once, again = again, parse_name(" ".join(again.words))
    assert again.core == once.core


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000_000, "ab " * 3_000_000, "a." * 3_000_000, "a" + "\u0301" * 100_000 + "cme GmbH", "x" + " " * 100_000 + "#",
        "\u202e" * 1000 + "Acme Ltd", "\u200d" * 100_000, "😀" * 100_000, "ﷺ" * 100_000, "深" * 100_000, "각" * 100_000,
        "(" * 100_000, "a b / " * 100_000, "- old" * 100_000, "gmbh co kg " * 100_000, "\ud800" * 100, "9" * 100_000,
        "http://" * 100_000, "ü." * 100_000, "twenty one " * 100_000,
    ],
    ids=lambda text: text[:6].encode("unicode_escape").decode(),
)  # fmt: skip
def test_hostile_values_cost_little_and_leave_little(text):
    engine = Engine(supplier_config(), hasher=blind_index)
    document = {
        "legal_name": text, "trade_names": [text] * 1000, "country": text, "legal_form": text, "website": text,
        "addresses": [{"lines": [text] * 100, "postal_code": text, "city": text, "country": text}] * 50,
        "tax_registrations": [{"country": "DE", "number": text}], "identifiers": [{"scheme": text, "value": text}],
        "bank_accounts": [{"iban": text}], "contacts": [{"phone": text, "email": text}] * 50,
    }  # fmt: skip
    started = time.process_time()
    features = engine.features(document)
    assert time.process_time() - started < 2.0
    assert len(str(features)) < 20_000
    assert engine.features(document) == features
