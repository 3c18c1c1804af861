"""Collections, their documents and what has become of each version. To look at: the verbs are on
the pages, where the rights of collections count."""

from django.contrib import admin

from agents_app.models import Collection, Document, DocumentVersion
from one_project.accounts.secured_admin import SecuredTenantAdmin
from one_project.common.read_only import ReadOnlyAdmin


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin[Collection], SecuredTenantAdmin[Collection]):
    list_display = ["name", "created_by", "language", "chunk_count", "created_at"]
    list_select_related = ["created_by"]
    list_filter = ["created_at"]
    search_fields = ["name"]


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin[Document], SecuredTenantAdmin[Document]):
    list_display = ["title", "collection", "source", "folder", "created_by", "updated_at"]
    list_select_related = ["collection", "created_by"]
    list_filter = ["source", "created_at"]
    search_fields = ["title"]
    id_fields = ["id", "collection_id", "current_id"]


@admin.register(DocumentVersion)
class DocumentVersionAdmin(ReadOnlyAdmin[DocumentVersion], SecuredTenantAdmin[DocumentVersion]):
    list_display = [
        "created_at", "document", "number", "status", "media_type", "size",
        "pages_total", "chunks_total", "error_code", "finished_at",
    ]  # fmt: skip
    list_select_related = ["document"]
    list_filter = ["status", "created_at"]
    search_fields = ["document__title", "=error_code"]
    id_fields = ["id", "document_id", "file_id", "work_id"]
