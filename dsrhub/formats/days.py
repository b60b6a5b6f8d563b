"""Days and times in the admin: those of ISO 8601 in all languages, as in reports and their names.

Numbers follow the language: Django has their separators.
"""

DATE_FORMAT = SHORT_DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i"
# What people type. A day such as 01/02/2020 is another one in each language. Django adds the formats of ISO itself.
DATE_INPUT_FORMATS = ["%Y-%m-%d"]
DATETIME_INPUT_FORMATS = ["%Y-%m-%d %H:%M:%S"]
