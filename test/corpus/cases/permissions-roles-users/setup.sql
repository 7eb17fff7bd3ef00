-- Three schemas with tables; who may connect is said by permissions alone.
CREATE ROLE mydb_owner LOGIN PASSWORD 'pw mydb_owner';
CREATE DATABASE mydb OWNER mydb_owner;
\connect mydb
REVOKE CONNECT ON DATABASE mydb FROM PUBLIC;
SET ROLE mydb_owner;
CREATE SCHEMA schema1;
CREATE SCHEMA schema2;
CREATE SCHEMA schema3;
CREATE TABLE schema1.flights (id integer PRIMARY KEY, number text);
CREATE TABLE schema1.airports (code text PRIMARY KEY);
CREATE TABLE schema2.crews (id integer PRIMARY KEY);
CREATE TABLE schema3.flights (id integer PRIMARY KEY, number text);
CREATE TABLE schema3.salaries (id integer PRIMARY KEY);
