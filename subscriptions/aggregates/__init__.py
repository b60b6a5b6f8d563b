"""Aggregates that are exact at every moment, without signals, triggers or waiting.

A *key* is (subscription, usage type, day). Its *live* value is the sum of its raw records and of what is kept of
purged ones (PurgedUsage): all that was accepted and not deleted. What holds in every snapshot of the database:

1. A key that nobody marked has its live value in DailyUsage. Whoever writes raw records appends a mark of each key
   in the same transaction, so others see both or neither.
2. MonthlyUsage is the sum of the rows of DailyUsage, marked or not, and TotalUsage that of MonthlyUsage. One
   statement writes all three.
3. Hence any sum is that of its total, months or days, plus (live - daily) for each marked key: one statement, so one
   snapshot, at READ COMMITTED.
4. A refresh deletes the marks that it sees and sets their keys to the live values of the same snapshot, in one
   statement. A mark that is committed later is another row and survives. Refreshes and purges of a usage type take
   turns by an advisory lock, taken before the statement and thus before its snapshot.
5. A purge moves the sum of a day's raw records into PurgedUsage and drops the partition in one transaction, which
   changes no live value. It excludes writers by the lock of the partition, and refreshes as above.

A plan knows the partitions of the moment when it was made, a little before the snapshot. So raw records are only
read on days that an earlier statement saw marked: a partition is open to all before its first mark is committed.
A reader asks its snapshot whether those days were all, and whether the partitions are the same, or reads again.
"""
