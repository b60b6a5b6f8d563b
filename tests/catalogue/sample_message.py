"""A small DDEX message for tests: five sales contexts, three blocks, ten sales lines. Its amounts are easy to check.

| summary | context | declared | usages of its lines | revenue of its lines |
| --- | --- | --- | --- | --- |
| 1 | GB, TonbankPremium | 1000, 700.00 GBP | 600 + 50 + 250 - 7 | 625.10 |
| 2 | SE, TonbankPremium | 500, 1234.565 SEK | 500 | 1234.565 |
| 3 | GB, TonbankFree, NonInteractiveStream | 300, 10 GBP | 100 + 20 + 80 | 20/3, rounded down |
| 4 | WW, TonbankShop, PermanentDownload | 7, 6.93 EUR | 2 + 5 | 6.93 |
| 5 | NO, TonbankPremium, OnDemandStream | 0, 0 NOK | none | none |
"""

from pathlib import Path

from catalogue.imports.loading.choices import Choices
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.models import DSR, ReportMessage

MESSAGE = "DSR_SocietyX_Tonbank_TonbankPremium-TonbankFree_2020-01_multi_1of1_20200212T083000.tsv"
# A semicolon stands for a tab.
SUMMARIES = r"""
SY01.03;1;Tonbank;PADPIDA2026000001A;SubscriptionModel;;GB;TonbankPremium;1000;52000.5;GBP;700.00;;GBP;1;;;
SY01.03;2;Tonbank;PADPIDA2026000001A;SubscriptionModel;;SE;TonbankPremium;500;7000;SEK;1234.565;0;;;;;
SY02.04;3;Tonbank;PADPIDA2026000001A;AdvertisementSupportedModel;NonInteractiveStream;GB;TonbankFree;300;90000;GBP;10;;;;;;;Music;;;
SY01.03;4;Tonbank;PADPIDA2026000001A;PayAsYouGoModel;PermanentDownload;Worldwide;TonbankShop;7;;EUR;6.93;;;;;;
SY01.03;5;Tonbank;PADPIDA2026000001A;SubscriptionModel;OnDemandStream;NO;TonbankPremium;0;12;NOK;0;;;;;;
"""
BLOCKS = r"""
RE01.03;B1;R;rel-100;;;4006381333931;The "Quoted" Ones;;Night \\| Day;;Album;Blank Records;;;;
AS02.04;B1;1;trk-1;QZABC2600001;One "of" these;;The Quoted Ones;;;SoundRecording;T0345246801;A. Writer|B. Writer;;
AS02.04;B1;2;trk-2;QZABC2600002|QZABC2600003;AC\\\DC \\| live;Live;A \\| B;;PT182S;SoundRecording;;;;;;;;;;;;;;
RE02;B1;S2;sub-2;;2
SU02.03;B1;1;T1;;1;true;600;;;OnDemandStream;
SU02.03;B1;1;T2;;1;true;50;;;ContentInfluencedStream;
SU02.03;B1;1;T3;S2;;true;250.0;;;OnDemandStream;
SU02.03;B1;2;T4;;2;true;500;;;OnDemandStream;
SU02.03;B1;1;T5;;2;true;-7;;;OnDemandStream;
AS01.03;B2;1;trk-3;;Untitled;;#unknown#;;;SoundRecording;;;;;;;;;;;;;;;
MW01.03;B2;wrk-3;T0345246801;Untitled;;C. Writer;;;;;;;;;;1;;
SU02.03;B2;3;T6;;1;true;100;;;;
SU02.03;B2;3;T7;;1;false;20;;;;
RE01.03;B3;R;rel-100;;;4006381333931;The "Quoted" Ones;;Night \\| Day;;;;;;;
AS02.04;B3;1;trk-1;QZABC2600001;One "of" these;;The Quoted Ones;;;SoundRecording;;;;;;;;;;;;;;
SU02.03;B3;3;T8;;1;true;80;;;;
SU01.03;B3;4;T9;R;;true;false;2;0;1.98;;PermanentDownload
SU01.03;B3;4;T10;;1;true;false;5;1;0.99;;PermanentDownload
"""


def write_message(
    folder: Path,
    name: str = MESSAGE,
    *,
    message_id: str = "MSG-1",
    start: str = "2020-01-01",
    end: str = "2020-01-31",
    summaries: str = SUMMARIES,
    blocks: str = BLOCKS,
) -> Path:
    """Write a message of one file to `folder`."""
    head = f"HEAD;dsrf/1.4/1/1.5;BasicAudioProfile;1.4;{message_id};2020-02-12T08:30:00+02:00;1;1;{start};{end};"
    head += "PADPIDA2026000001A;Tonbank;TonbankPremium-TonbankFree;PADPIDA2026000002B;SocietyX;"
    records = [head, *summaries.strip().splitlines(), *blocks.strip().splitlines()]
    count = len(records) + 1
    summary_count = sum(record.startswith("SY") for record in records)
    block_count = len({record.split(";")[1] for record in blocks.strip().splitlines()})
    records.append(f"FOOT;{count};{count};{summary_count};{block_count};{block_count}")
    path = folder / name
    path.write_text("".join(record.replace(";", "\t") + "\n" for record in records))
    return path


def import_message(folder: Path, name: str = MESSAGE, **content: str) -> ReportMessage:
    """Import a message. Return it."""
    path = write_message(folder, name, **content)
    message = delivery_import(files=[DeliveredFile(path, name)], choices=Choices()).message
    assert message is not None
    return message


def dsr_of(message: ReportMessage, summary_id: str) -> DSR:
    return message.dsrs.get(summary_id=summary_id)
