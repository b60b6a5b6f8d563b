"""Drop folders: what others put there is imported, and moved to `done` or `refused` with what became of it.

Each delivery goes through these steps, and a process may be killed between any two of them:

1. Its files are in the folder, complete: see `arriving`.
2. A plan is written to a folder of its own, `importing/{time}-{random}/result.json`. Then the files are moved there, so
   that what the sender puts under the same name afterwards is another delivery. See `claims`.
3. It is imported. The same again after a crash is a no-op: its content is there already.
4. `result.txt` and `result.json` tell what became of it.
5. Its folder moves to `done` or `refused`.

The next round finds what is in `importing`, and continues there. One process at a time works in a folder, by a lock.
"""
