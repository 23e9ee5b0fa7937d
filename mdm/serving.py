"""How gunicorn logs requests, in demo, tests and production: `--config python:mdm.serving`."""

accesslog = "-"
# Neither the query nor the referer: people look for records by bank numbers, and a log keeps what it is told.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms %({x-correlation-id}o)s'
