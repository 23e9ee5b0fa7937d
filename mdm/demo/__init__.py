"""The demo as a whole: prepares the database, runs and watches every process, says where to look."""
