-- A web application before the split: one role owns the database, everything in it, and served the running application as well.
CREATE ROLE tuist_owner;
CREATE DATABASE tuist OWNER tuist_owner;
\connect tuist
GRANT USAGE, CREATE ON SCHEMA public TO tuist_owner;
SET ROLE tuist_owner;
CREATE TABLE public.schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp DEFAULT now());
INSERT INTO public.schema_migrations VALUES (20260101000000);
CREATE TABLE public.accounts (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE public.runs (id bigserial PRIMARY KEY, account bigint REFERENCES public.accounts, status text);
CREATE TABLE public.builds (id bigserial PRIMARY KEY, run bigint REFERENCES public.runs, status text);
CREATE TABLE public.artifacts (id bigserial PRIMARY KEY, build bigint REFERENCES public.builds, path text);
CREATE FUNCTION public.latest_run() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT max(id) FROM public.runs';
INSERT INTO public.accounts (name) VALUES ('first');
INSERT INTO public.runs (account, status) VALUES (1, 'new');
