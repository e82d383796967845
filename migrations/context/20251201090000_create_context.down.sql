DROP TABLE context;
