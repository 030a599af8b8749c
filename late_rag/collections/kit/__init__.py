"""What every engine of a collection needs and none of them owns: no database, no files, no network."""
