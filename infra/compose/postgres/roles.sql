-- Who may do what in the shop's database. Run once, by the superuser, in the new database.
--
-- flashsale_owner   owns the tables; migrations run as this one, and nothing else does
-- flashsale_serving serves buyers: reads and adds rows, and can neither change nor remove one
-- flashsale_read    reads, for people and reports

\if :{?secrets}
\else
\set secrets /run/flashsale
\endif
\set owner_password `cat :'secrets'/postgres-owner`
\set serving_password `cat :'secrets'/postgres-serving`
\set read_password `cat :'secrets'/postgres-read`

create role flashsale_owner login password :'owner_password';
create role flashsale_serving login password :'serving_password';
create role flashsale_read login password :'read_password';

alter database :"DBNAME" owner to flashsale_owner;
revoke all on database :"DBNAME" from public;
grant connect on database :"DBNAME" to flashsale_serving, flashsale_read;

revoke all on schema public from public;
grant usage on schema public to flashsale_serving, flashsale_read;

-- For what migrations will make, now and in later versions.
alter default privileges for role flashsale_owner revoke execute on functions from public;
alter default privileges for role flashsale_owner in schema public
    grant execute on functions to flashsale_serving;
alter default privileges for role flashsale_owner in schema public
    grant select, insert on tables to flashsale_serving;
alter default privileges for role flashsale_owner in schema public
    grant select on tables to flashsale_read;
