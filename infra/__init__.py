"""Where it runs: settings, Dask, MLflow, Great Expectations, local servers, deployment files."""
