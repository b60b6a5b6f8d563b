"""The catalogue of resources: what the ingested DSRs report, each recording once. Registered, browsed and searched."""
