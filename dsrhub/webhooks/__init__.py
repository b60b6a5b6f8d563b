"""Webhooks: requests that tell programs of others what happened.

A service calls `event_write` (`outbox`) in the transaction of its change. So an event is there if and only if what it
tells was committed. Every webhook that listens for the type of the event at that time gets a delivery of it, also one
that is disabled; without any, no event is written.

A worker sends the deliveries (`delivering`, `running`): at least once, signed as Standard Webhooks define, again and
again over days until the receiver accepts. One session at a time sends to a webhook. The events of one subject come in
their order: an event that is not accepted holds back the later ones of its subject for HOLD, and then lets them pass.
"""
