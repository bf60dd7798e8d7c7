drop table if exists users;
create table users (id int primary key, name varchar(40), home varchar(40), note text);
insert into users values (1,'Mister X','/home/x','');
insert into users values (2,'bob','/home/bob',null);
insert into users values (3,'quo"te','back\\slash','line1
line2');
insert into users values (4,'tab	bed','','J');
