"""Which field a column is, by its heading."""

import re
from collections.abc import Mapping, Sequence

from catalogue.reports.formats.templates.cells.territories import currency_codes

# The headings of each field in small letters and without punctuation, the most telling ones first.
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "dsp": (
        *("dsp", "dms retailer", "digital service provider", "music service", "store", "store name", "retailer"),
        *(
            "platform",
            "service",
            "dms",
            "channel",
            "tienda",
            "boutique",
            "shop",
            "plattform",
            "plateforme",
            "plataforma",
        ),
    ),
    "offer": ("offer", "subscription type", "subscription plan", "plan", "tariff", "service type"),
    "territory": (
        *("territory", "country of sale", "sales country", "country", "country region", "territory code"),
        *("country code", "sale country", "country territory", "region", "land", "pais", "país", "pays", "paese"),
    ),
    "currency": (
        *("currency", "partner share currency", "client payment currency", "payment currency", "currency code"),
        *("royalty currency", "sale currency", "moneda", "devise", "währung", "valuta", "moeda"),
    ),
    # The month of the statement comes first: sales of an earlier month may come again in the next statement.
    "period": (
        *("reporting month", "reporting period", "statement period", "reporting date", "period", "month"),
        *("sales month", "sale month", "activity period", "sales period", "usage month", "sale date", "sales date"),
        *("date", "day", "periodo", "período", "mes", "mois", "monat", "verkaufsmonat"),
    ),
    "period_start": (
        *("start date", "period start", "period start date", "begin date", "date from", "from date", "from"),
        *("sales start date", "start", "startdatum"),
    ),
    "period_end": (
        *("end date", "period end", "period end date", "date to", "to date", "to", "until"),
        *("sales end date", "end", "enddatum"),
    ),
    "dsp_id": (
        *("dsp id", "vendor identifier", "asset id", "track id", "dsp track id", "store track id", "product id"),
        *("resource id", "sku", "apple identifier", "song id", "recording id"),
    ),
    "title": (
        *("title", "track title", "asset title", "song title", "track name", "track", "song", "song name"),
        *("recording title", "titel", "titulo", "título", "titre", "name"),
    ),
    "artists": (
        *("artists", "artist", "track artist", "artist name", "artists names", "artist names", "artist s"),
        *("track artists", "artist show developer author", "performer", "main artist", "interpret", "artista"),
        *("artiste", "künstler", "interprete", "intérprete"),
    ),
    "isrc": ("isrc", "isrc isbn", "isrc code", "track isrc"),
    "iswc": ("iswc", "iswc code"),
    "composers": ("composers", "composer", "writers", "writer", "songwriters", "songwriter", "compositor"),
    "label": ("label", "label name", "label studio network", "asset labels", "imprint", "record label", "sello"),
    "icpn": (
        *("icpn", "upc", "orchard upc", "upc ean", "ean", "upc code", "ean upc", "barcode", "bar code", "gtin"),
        *("release upc", "album upc", "jan"),
    ),
    "use_type": (
        "use type",
        "usage type",
        "sales type",
        "sale type",
        "transaction type",
        "trans type",
        "trans type description",
    ),
    "transaction_id": ("transaction id", "transaction number", "sale id"),
    "usages": (
        *("usages", "quantity", "units", "owned views", "streams", "plays", "net units", "sales units", "qty"),
        *("count", "views", "number of streams", "total units", "units sold", "usage count", "usage"),
        *("cantidad", "unidades", "quantité", "menge", "anzahl", "quantità", "quantidade", "streams quantity"),
    ),
    "revenue": (
        *("extended partner share", "label share net receipts", "net revenue", "partner revenue", "earnings"),
        *("revenue", "net revenue share", "net share", "net amount", "net receipts", "net royalty", "royalty"),
        *("royalties", "net income", "amount", "net", "amount due", "payable", "net payable", "total revenue"),
        *(
            "income",
            "sales",
            "netto",
            "nettobetrag",
            "net sales",
            "importe",
            "ingresos",
            "revenus",
            "betrag",
            "erlös",
            "umsatz",
            "ricavi",
            "receita",
        ),
    ),
}
BEST = {field: {name: place for place, name in enumerate(names)} for field, names in HEADINGS.items()}
CODE = re.compile(r"\(?\b([A-Z]{3})\b\)?")


def column_fields(headings: Sequence[str]) -> dict[int, str]:
    """The field of each column that is known by its heading. Each field has one column at most."""
    names = [plain(heading) for heading in headings]
    found: dict[int, str] = {}
    for field, places in BEST.items():
        columns = [column for column, name in enumerate(names) if name in places and column not in found]
        if columns:
            found[min(columns, key=lambda column: places[names[column]])] = field
    if {"period_start", "period_end"} <= set(found.values()):
        return {column: field for column, field in found.items() if field != "period"}
    return {column: field for column, field in found.items() if not field.startswith("period_")}


def plain(heading: str) -> str:
    """The heading in small letters, without punctuation and without a currency: `Earnings (USD)` is `earnings`."""
    text = heading.replace(currency_in(heading), "") if currency_in(heading) else heading
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())


def currency_in(heading: str) -> str:
    """The currency that a heading names, such as `USD` in `Earnings (USD)`; blank without one."""
    codes = [code for code in CODE.findall(heading) if code in currency_codes()]
    return codes[0] if len(codes) == 1 and heading.strip() != codes[0] else ""
