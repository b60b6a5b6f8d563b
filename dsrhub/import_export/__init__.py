"""What the imports and exports of all admins share. Files may have any size and are never held in memory.

The buttons, forms and pages are django-import-export's. The library reads and writes files in memory; here an upload
is a path, and an export is a stream of rows.
"""
