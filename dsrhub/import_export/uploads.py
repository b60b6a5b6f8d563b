"""Uploads of the admin as files on the disk, which an import reads piece by piece."""

from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from import_export.formats.base_formats import Format
from import_export.tmp_storages import BaseStorage

from dsrhub.files.uploads import upload_store


class UploadStorage(BaseStorage):  # type: ignore[misc]
    """Keeps an upload in the folder that servers and workers share. `read` returns its path."""

    def save(self, upload: TemporaryUploadedFile) -> None:
        self.name = upload_store(Path(upload.temporary_file_path())).name

    def read(self) -> Path:
        return settings.DSRHUB_UPLOAD_DIR / Path(self.name).name

    def remove(self) -> None:
        self.read().unlink(missing_ok=True)


class PathFormat(Format):  # type: ignore[misc]
    """A format whose data set is the path of the file. The importer reads the file piece by piece."""

    def __init__(self, encoding: str | None = None) -> None:
        pass

    def can_import(self) -> bool:
        return True

    def create_dataset(self, path: Path) -> Path:
        return path


class PathImportMixin:
    """Keeps uploads as files. List this mixin before import-export's ImportMixin."""

    tmp_storage_class = UploadStorage

    def write_to_tmp_storage(self, import_file: TemporaryUploadedFile, input_format: Format) -> UploadStorage:
        storage = self.tmp_storage_class()
        storage.save(import_file)
        return storage
