"""Price limits, and the days on which subscriptions reached them.

For each subscription, usage type and span (a calendar month, or all time), the limit that applies is the most specific
one: that of the subscription, else of its carrier, else of all; of months, only those that apply to the month. It is
*crossed* on the first day on which the sum of the prices since the beginning of the span is at the limit or above. A
credit can lower the sum later: the limit was reached nevertheless.

The crossings are a function of DailyUsage and of the limits. These rules keep them so:

1. The refresh that changes DailyUsage marks the subscription and month in the same statement, if there is a limit of
   the usage type. Without one, nothing is marked.
2. Whatever changes which limit applies (the limits, or the carrier of a subscription) marks the subscriptions in its
   transaction, for all time.
3. `limits_follow` takes marks, works out what is crossed, and writes what is different, in one statement and in one
   transaction. It holds USAGE_AGGREGATES, so a refresh that saw no limit has ended before the first mark of the limit
   is taken. It holds USAGE_LIMITS, as changes of limits do.
4. All marks of a subscription are taken together. A mark of a month leaves earlier months as they are: what the total
   reached before it stays, and what it did not reach before it, it did not.

A crossing is never changed. If its day or its limit is no longer right, it is withdrawn, and another one is written.
"""
