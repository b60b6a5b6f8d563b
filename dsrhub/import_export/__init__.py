"""What the imports and exports of all admins share: files of any size, and none of them in memory.

The buttons, forms and pages are django-import-export's. Where it would read a file or make one in memory, an upload is
a path here, and an export a stream of rows.
"""
