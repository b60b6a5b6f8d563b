"""How the admin calls itself."""

from django.contrib import admin

admin.site.site_header = admin.site.site_title = "dsrhub"
admin.site.index_title = "Digital Sales Reports"
