import { useEffect, useState } from "react";
import { Avatar } from "../people/avatar.tsx";
import { type Person, Session } from "./session.ts";

export interface LoginPageProps {
  /** Why somebody is here who was logged in. */
  readonly notice: string | null;
  readonly onLogin: (session: Session) => void;
}

export function LoginPage({ notice, onLogin }: LoginPageProps) {
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [trouble, setTrouble] = useState(false);

  useEffect(() => {
    const asked = new AbortController();
    fetch("/api/auth/people", { signal: asked.signal })
      .then((response) => response.json())
      .then((found: readonly Person[]) => setPeople(found))
      .catch(() => setTrouble(!asked.signal.aborted));
    return () => asked.abort();
  }, []);

  const login = (id: string): void => {
    Session.login(id).then(onLogin, () => setTrouble(true));
  };

  return (
    <main className="login">
      <img src="/icon.svg" alt="" width="56" height="56" />
      <h1>RightTask</h1>
      <p>Tasks that a team edits together. When it says saved, it is on disk.</p>
      {notice !== null && (
        <p className="notice" role="alert">
          {notice}
        </p>
      )}
      <h2>Who are you today?</h2>
      <ul className="login-people">
        {people.map((person) => (
          <li key={person.id}>
            <button type="button" className="login-person" onClick={() => login(person.id)}>
              <Avatar person={person} />
              <span>{person.name}</span>
            </button>
          </li>
        ))}
      </ul>
      {trouble && <p role="alert">The backend does not answer. Is it running?</p>}
      <p className="hint">Open a second tab as somebody else, and see each other type.</p>
    </main>
  );
}
