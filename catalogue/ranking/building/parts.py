"""Dividing the lines of a question into parts, each of which one parallel worker of PostgreSQL adds up.

A part has whole resources: those of some DSPs, or of one DSP those whose hashes are in one class. If the lines were
divided instead, workers would hand over nearly as many sums as there are lines, to be added up once more.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalogue.lines.scope import IngestedDSR
from dsrhub.database.statements import execute, rows_of

# The memory of one step of one process before it goes to the disk; a hash takes twice as much.
WORK_MEM = "64MB"
# About how many lines have sums that fit into that memory.
LINES_OF_PART = 2_000_000
# Several parts for each worker, so that none waits long for the last one. More parts would read the lines of one DSP
# more often than they save.
PARTS_OF_WORKER, MOST_PARTS = 2, 16
# About the planner's cost of reading a line that two workers read instead of one.
SAVED_PER_LINE = 0.025
# So that a worker has a whole part: no table is large enough to be read by several. The leader only takes sums.
WHOLE_PARTS = {
    "min_parallel_table_scan_size": "4TB",
    "min_parallel_index_scan_size": "4TB",
    "parallel_leader_participation": "off",
    "enable_sort": "off",
}

WORKERS = "SELECT current_setting('max_parallel_workers_per_gather')::integer"


@dataclass(frozen=True)
class Part:
    """The resources that DSRs report: all, or those of one class of hashes, of `class_count`."""

    dsrs: list[IngestedDSR]
    hash_class: int = 0
    class_count: int = 1

    @property
    def condition(self) -> str:
        """The condition that a line is of this part."""
        if self.class_count == 1:
            return "true"
        # Of an inequality, the planner expects a third of the lines; of an equality, next to none.
        return f"abs(mod(hashtextextended(line.dsp_id, 0) & 65535, {self.class_count}) - {self.hash_class}) < 1"


def parts_of(dsrs: Sequence[IngestedDSR]) -> list[Part]:
    """The parts of a question. A large DSP has several, small ones have one together."""
    by_dsp: dict[str, list[IngestedDSR]] = defaultdict(list)
    for dsr in dsrs:
        by_dsp[dsr.dsp].append(dsr)
    of_part = _lines_of_part(_line_count(dsrs))
    parts: list[Part] = []
    together: list[IngestedDSR] = []
    for one_dsp in sorted(by_dsp.values(), key=_line_count, reverse=True):
        class_count = -(-_line_count(one_dsp) // of_part)
        if class_count > 1:
            parts += [Part(one_dsp, hash_class, class_count) for hash_class in range(class_count)]
            continue
        if together and _line_count(together) + _line_count(one_dsp) > of_part:
            parts.append(Part(together))
            together = []
        together = together + one_dsp
    return [*parts, Part(together)] if together else parts


def _line_count(dsrs: Sequence[IngestedDSR]) -> int:
    return sum(dsr.line_count for dsr in dsrs)


def _lines_of_part(line_count: int) -> int:
    ((workers,),) = rows_of(WORKERS)
    count: int = max(PARTS_OF_WORKER * workers, -(-line_count // LINES_OF_PART), 1)
    return max(-(-line_count // min(count, MOST_PARTS)), 1)


def workers_add_up(parts: Sequence[Part]) -> None:
    """Have each part of a statement added up by one worker, in a hash table, until `planned_as_usual`."""
    read = [_line_count(part.dsrs) for part in parts]
    # Dear enough that no part alone is worth workers of its own, and cheap enough that all parts together are.
    setup_cost = round(SAVED_PER_LINE * (max(read) + sum(read)) / 2)
    settings = {**WHOLE_PARTS, "work_mem": WORK_MEM, "parallel_setup_cost": setup_cost}
    execute("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in settings.items()))


def planned_as_usual() -> None:
    """End what `workers_add_up` began, the memory excepted."""
    execute("; ".join(f"SET LOCAL {name} TO DEFAULT" for name in (*WHOLE_PARTS, "parallel_setup_cost")))


def union_of_parts(queries: Sequence[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """A query of all parts, and its parameters.

    In the query of a part, {n} is the number of the part. The names of its parameters end with it.
    """
    texts: list[str] = []
    parameters: dict[str, Any] = {}
    for number, (query, own) in enumerate(queries):
        texts.append(query.format(n=number))
        parameters |= {f"{name}{number}": value for name, value in own.items()}
    return " UNION ALL ".join(texts), parameters
