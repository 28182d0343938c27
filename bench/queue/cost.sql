-- What the server has spent so far: WAL written, in bytes, and processor time, in seconds, of its processes and of those
-- that have ended, which their parent counts. Linux counts in hundredths of a second.
SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS wal_bytes, sum(hundredths)::float8 / 100 AS cpu_seconds
FROM (
    SELECT split_part(stat, ' ', 14)::bigint + split_part(stat, ' ', 15)::bigint
    FROM pg_stat_activity, pg_read_file('/proc/' || pid || '/stat', 0, 1000, true) stat
    UNION ALL
    SELECT split_part(stat, ' ', 16)::bigint + split_part(stat, ' ', 17)::bigint
    FROM split_part(pg_read_file('postmaster.pid'), E'\n', 1) parent, pg_read_file('/proc/' || parent || '/stat', 0, 1000, true) stat
) AS processes (hundredths)
