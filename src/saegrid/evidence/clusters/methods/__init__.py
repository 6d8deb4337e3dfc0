"""Methods of clustering, a file each."""
