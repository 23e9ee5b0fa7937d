"""Strategies for invented suppliers that often resemble one another."""

from hypothesis import strategies as st

from tests.mdm.matching.documents import supplier

words = st.sampled_from(
    ["Acme", "Müller", "Mueller", "Orion", "Services", "Logistik", "Газпром", "II", "IV", "North",
     "GmbH", "Ltd", "SAS", "France", "深圳科技", "&", "Good", "Will", "Goodwill", "Intl", "B.V.", "AG"]
)  # fmt: skip
names = st.one_of(st.lists(words, max_size=5).map(" ".join), st.text(max_size=40))
suppliers = st.builds(
    supplier,
    names,
    st.sampled_from(["", "DE", "FR", "GB", "US"]),
    vat=st.sampled_from(["", "DE136695976", "DE129273398", "DE136695977", "GB434031494", "12"]),
    street=st.sampled_from(["", "Hauptstr. 12", "Hauptstraße 12a", "12 High St", "PO Box 9", "S 5th Ave 3"]),
    postcode=st.sampled_from(["", "80331", "80313", "D-80331", "LS1 1AA"]),
    city=st.sampled_from(["", "Berlin", "München", "Munich", "Paris Cedex 12"]),
    phone=st.sampled_from(["", "+49 89 1234567", "089/1234567", "089/1234599", "1"]),
    mail=st.sampled_from(["", "info@acme.com", "acme@gmail.com", "x@acme.co.uk"]),
    web=st.sampled_from(["", "www.acme.com", "https://orion.de/x"]),
    iban=st.sampled_from(["", "DE89370400440532013000", "FR1420041010050500013M02606"]),
    alias=names,
)
