/** A store of any kind as a SQLite store: backups have one format, whatever they are taken from. */
import { openSqliteFile } from "./sqlite-file.ts";
import { standAlone, type CopyOptions } from "./sqlite-copy.ts";
import type { StoreSurvey } from "./store-survey.ts";

/** One commit holds this many rooms. */
const ROOMS_A_COMMIT = 500;

export interface SurveyCopyOptions extends Pick<CopyOptions, "to" | "onProgress"> {
  /** Of one moment. */
  readonly survey: StoreSurvey;
}

/** Resolves when the copy is complete and stands alone. Rows are taken as they are, readable or not. */
export async function copySurvey({ survey, to, onProgress }: SurveyCopyOptions): Promise<void> {
  const { db } = openSqliteFile(to);
  try {
    // A draft: who gives it its name brings it to the disk first, all at once.
    db.pragma("synchronous = OFF");
    const insertSnapshot = db.prepare("INSERT INTO documents (name, data) VALUES (?, ?)");
    const insertRow = db.prepare(
      `INSERT INTO journal (seq, name, data, at, author, sum, name_sum)
       VALUES ($seq, $name, $data, $at, $author, $sum, checksum($name))`,
    );
    const insertQuarantined = db.prepare(
      `INSERT INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at)
       VALUES ($seq, $room, $data, $at, $author, $sum, $reason, $setAsideAt)`,
    );
    const total = await survey.countRooms();
    let done = 0;
    db.exec("BEGIN");
    for await (const name of survey.roomNames()) {
      const { snapshot, rows } = await survey.room(name);
      if (snapshot) insertSnapshot.run(name, snapshot);
      for (const row of rows) insertRow.run({ ...row, name });
      if (++done % ROOMS_A_COMMIT === 0) db.exec("COMMIT; BEGIN");
      onProgress(done, total);
    }
    let lastSeq = 0;
    for await (const row of survey.quarantine()) {
      insertQuarantined.run(row);
      lastSeq = row.seq;
    }
    // The journal goes on above them. A number that the quarantine has already would not be kept there a second time.
    const known = db
      .prepare<[], number>("SELECT max(seq) FROM sqlite_sequence WHERE name = 'journal'")
      .pluck();
    const next = Math.max(lastSeq, known.get() ?? 0);
    db.exec("DELETE FROM sqlite_sequence WHERE name = 'journal'");
    db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('journal', ?)").run(next);
    db.exec("COMMIT");
  } finally {
    db.close();
  }
  standAlone(to);
}
