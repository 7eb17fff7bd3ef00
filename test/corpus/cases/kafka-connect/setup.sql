-- A database that is there before its contents: the schema comes with the application's first migration.
CREATE ROLE finance_owner LOGIN PASSWORD 'pw finance_owner';
CREATE DATABASE my_awesome_database OWNER finance_owner;
