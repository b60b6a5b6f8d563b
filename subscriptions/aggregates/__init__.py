"""Sums of usage by day, month and in total. Every answer is exact, without signals, triggers or waiting.

A *key* is (subscription, usage type, day). Its *live* value is the sum of its raw records and of its rows in
PurgedUsage: everything that was accepted and not deleted. A *mark* of a key says that its records have changed. These
rules hold in every snapshot of the database:

1. A key without a mark has its live value in DailyUsage. A write of raw records appends a mark of each key in the same
   transaction, so others see both or neither.
2. MonthlyUsage is the sum of the rows of DailyUsage, with or without marks, and TotalUsage is the sum of MonthlyUsage.
   One statement writes all three.
3. So each sum is the sum from the totals, months or days, plus (live - daily) for each marked key. One statement reads
   it, so it comes from one snapshot, also at READ COMMITTED.
4. A refresh deletes the marks that it sees and sets their keys to the live values of the same snapshot, in one
   statement. A mark that is committed later is another row, and stays. Refreshes and purges of a usage type take turns
   by an advisory lock. They take it before the statement, and so before its snapshot.
5. A purge moves the sum of a day's raw records into PurgedUsage and drops the partition in one transaction. This
   changes no live value. It blocks writers by a lock of the partition, and refreshes by the advisory lock.

A query plan knows the partitions that existed when it was made, shortly before the snapshot. So a reader reads raw
records only of days for which an earlier statement found marks: a partition is committed before its first mark. In its
snapshot, the reader then checks that there are no marks on other days and that the partitions are the same. If not, it
reads again.
"""
