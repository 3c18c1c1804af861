"""Invoices: lists, pages, files, payment."""

from django.urls import URLPattern, path

from billing_app.views import invoices as views

urlpatterns: list[URLPattern] = [
    path("invoices/", views.invoice_list, name="invoices"),
    path("invoices/<uuid:invoice_id>/", views.invoice, name="invoice"),
    path("invoices/<uuid:invoice_id>/print/", views.invoice_print, name="invoice_print"),
    path("invoices/<uuid:invoice_id>/pdf/", views.invoice_pdf, name="invoice_pdf"),
    path("invoices/<uuid:invoice_id>/csv/", views.invoice_csv, name="invoice_csv"),
    path("invoices/<uuid:invoice_id>/pay/", views.invoice_pay, name="invoice_pay"),
]
