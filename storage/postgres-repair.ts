import { storableText } from "./postgres-insert.ts";
import { PostgresPool } from "./postgres-pool.ts";
import { SNAPSHOT_REASON, type StoreRepair } from "./store-survey.ts";

/** Moves what does not decode into the quarantine table of a Postgres store. */
export function openPostgresRepair(databaseUrl: string): StoreRepair {
  const pool = new PostgresPool(databaseUrl);
  return {
    setAside: ({ room, rows, snapshot }) =>
      pool.transaction(async (query) => {
        const moved = await query(
          `WITH faulty AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS faulty (seq, reason)),
             removed AS (DELETE FROM journal USING faulty WHERE journal.seq = faulty.seq AND journal.name = $4
               RETURNING journal.*, faulty.reason)
           INSERT INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at)
           SELECT seq, name, data, at, author, sum, reason, $3::bigint FROM removed RETURNING seq`,
          [rows.map(({ seq }) => seq), rows.map(({ reason }) => storableText(reason)), Date.now(), room],
        );
        if (!snapshot) return moved.length;
        const reason = storableText(`${SNAPSHOT_REASON}${snapshot.reason}`);
        // Numbers below zero, going down: those of journal rows are all above it.
        const movedSnapshots = await query(
          `WITH removed AS (DELETE FROM documents WHERE name = $1 AND data = $2 RETURNING *)
           INSERT INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at)
           SELECT (SELECT least(0, coalesce(min(seq), 0)) - 1 FROM quarantine), name, data, $3::bigint, '', NULL, $4::text, $3::bigint
           FROM removed RETURNING seq`,
          [room, snapshot.data, Date.now(), reason],
        );
        return moved.length + movedSnapshots.length;
      }),
    close: () => pool.close(),
  };
}
