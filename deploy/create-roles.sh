#!/bin/sh
# Makes the two logins and the database, once, as a superuser: by the postgres image at its first start, or by hand
# with PGHOST, PGUSER … set. `mdm_owner` owns the schema and migrates; `mdm_app` owns nothing and is what runs.
set -eu
psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-${PGUSER:-postgres}}" --dbname postgres \
    --set owner_password="${OWNER_PASSWORD:?}" --set app_password="${APP_PASSWORD:?}" <<'SQL'
CREATE ROLE mdm_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE mdm_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
CREATE DATABASE mdm OWNER mdm_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE mdm FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE mdm TO mdm_app;
SQL
