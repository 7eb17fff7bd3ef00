-- An application's database as it has grown: everything is in public and belongs to the application's own login.
CREATE ROLE basketball LOGIN PASSWORD 'pw basketball';
CREATE DATABASE basketball OWNER basketball;
\connect basketball
GRANT USAGE, CREATE ON SCHEMA public TO basketball;
SET ROLE basketball;
CREATE TABLE public.teams (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE public.players (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team integer REFERENCES public.teams, name text NOT NULL, number integer);
CREATE TABLE public.registrations (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, player integer REFERENCES public.players, at timestamptz DEFAULT now());
CREATE VIEW public.roster AS SELECT t.name AS team, p.name AS player FROM public.teams t JOIN public.players p ON p.team = t.id;
INSERT INTO public.teams (name) VALUES ('first');
