"""How machines write money: marks, grouping, signs. Amounts are whole numbers of the smallest unit ("units")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class MoneyFormat:
    """``digits``: decimals shown. ``scale``: how many units are worth about one US cent, for believable amounts."""

    currency: str | None  # ISO 4217, or None for credits
    prefix: str = ""
    suffix: str = ""
    group: str = ","
    mark: str = "."
    digits: int = 2
    indian: bool = False  # lakh and crore: the last group has three digits, the others two
    scale: int = 1

    def amount(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-self.digits)

    def text(self, units: int) -> str:
        """The amount as the screen shows it. ``units`` is not negative."""
        whole, part = divmod(units, 10**self.digits)
        decimals = f"{self.mark}{part:0{self.digits}d}" if self.digits else ""
        return f"{self.prefix}{self._grouped(str(whole))}{decimals}{self.suffix}"

    def _grouped(self, digits: str) -> str:
        head, tail = digits[:-3], digits[-3:]
        step = 2 if self.indian else 3
        groups: list[str] = []
        while head:
            groups.insert(0, head[-step:])
            head = head[:-step]
        return self.group.join([*groups, tail])


FORMATS: Mapping[str, MoneyFormat] = MappingProxyType(
    {
        "usd": MoneyFormat("USD", "$"),
        "usd_plain": MoneyFormat("USD", "$", group=""),
        "usd_code": MoneyFormat("USD", "USD "),
        "cad": MoneyFormat("CAD", "C$"),
        "aud": MoneyFormat("AUD", "A$"),
        "gbp": MoneyFormat("GBP", "£"),
        "eur_de": MoneyFormat("EUR", suffix=" €", group=".", mark=","),
        "eur_fr": MoneyFormat("EUR", suffix=" €", group=" ", mark=","),
        "eur_nl": MoneyFormat("EUR", "€ ", group=".", mark=","),
        "eur_ie": MoneyFormat("EUR", "€"),
        "eur_led": MoneyFormat("EUR", "€", group=""),
        "chf": MoneyFormat("CHF", "CHF ", group="'"),
        "sek": MoneyFormat("SEK", suffix=" kr", group=" ", mark=",", scale=10),
        "nok": MoneyFormat("NOK", "kr ", group=" ", mark=",", scale=10),
        "dkk": MoneyFormat("DKK", suffix=" kr.", group=".", mark=",", scale=7),
        "pln": MoneyFormat("PLN", suffix=" zł", group=" ", mark=",", scale=4),
        "czk": MoneyFormat("CZK", suffix=" Kč", group=" ", mark=",", scale=23),
        "brl": MoneyFormat("BRL", "R$ ", group=".", mark=",", scale=5),
        "zar": MoneyFormat("ZAR", "R ", group=" ", scale=18),
        "inr": MoneyFormat("INR", "Rs ", indian=True, scale=80),
        "jpy": MoneyFormat("JPY", "¥", digits=0),
        "cny": MoneyFormat("CNY", "¥", scale=7),
        "credits": MoneyFormat(None, "CR ", group="", digits=0),
        "credits_grouped": MoneyFormat(None, digits=0),
        "credits_word": MoneyFormat(None, suffix=" CREDITS", group=" ", digits=0),
    }
)
