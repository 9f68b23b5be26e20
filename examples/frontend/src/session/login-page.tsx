import { useCallback, useEffect, useState } from "react";
import { Avatar } from "../people/avatar.tsx";
import { fetchTeam } from "../people/use-team.ts";
import { type Login, type Person, Session } from "./session.ts";

export interface LoginPageProps {
  /** Why somebody is here who was logged in. */
  readonly notice: string | null;
  readonly onLogin: (session: Session) => void;
}

export function LoginPage({ notice, onLogin }: LoginPageProps) {
  const [people, setPeople] = useState<readonly Person[] | null>(null);
  const [hasTrouble, setHasTrouble] = useState(false);
  const [isAsking, setIsAsking] = useState(false);

  const load = useCallback((signal?: AbortSignal) => {
    fetchTeam(signal).then(
      (found) => {
        setPeople(found);
        setHasTrouble(false);
      },
      () => setHasTrouble(signal?.aborted !== true),
    );
  }, []);

  useEffect(() => {
    const asked = new AbortController();
    const again = (): void => load(asked.signal);
    again();
    addEventListener("online", again);
    return () => {
      asked.abort();
      removeEventListener("online", again);
    };
  }, [load]);

  const login = (id: string): void => {
    // A second choice would log in somebody else in the middle of the first one's visit.
    if (isAsking) return;
    setIsAsking(true);
    Session.login(id)
      .then(onLogin, () => setHasTrouble(true))
      .finally(() => setIsAsking(false));
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
      {people && (
        <>
          <h2>Who are you today?</h2>
          <PersonList people={people} onChoose={({ id }) => login(id)} />
          <p className="hint">Open a second tab as somebody else, and see each other type.</p>
        </>
      )}
      {hasTrouble && <Unreachable onRetry={() => load()} onLogin={onLogin} mayGoOn={people === null} />}
    </main>
  );
}

interface UnreachableProps {
  readonly onRetry: () => void;
  readonly onLogin: (session: Session) => void;
  readonly mayGoOn: boolean;
}

/** Without the backend nobody logs in; who is logged in on this device can go on with what it has. */
function Unreachable({ onRetry, onLogin, mayGoOn }: UnreachableProps) {
  const [logins] = useState<readonly Login[]>(() => Session.remembered());
  return (
    <>
      <p role="alert">The backend cannot be reached.</p>
      {mayGoOn && logins.length > 0 && (
        <>
          <h2>Go on with what this device has</h2>
          <PersonList
            people={logins.map(({ user }) => user)}
            onChoose={({ id }) => {
              const login = logins.find(({ user }) => user.id === id);
              if (login) onLogin(new Session(login));
            }}
          />
        </>
      )}
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </>
  );
}

interface PersonListProps {
  readonly people: readonly Person[];
  readonly onChoose: (person: Person) => void;
}

function PersonList({ people, onChoose }: PersonListProps) {
  return (
    <ul className="login-people">
      {people.map((person) => (
        <li key={person.id}>
          <button type="button" className="login-person" onClick={() => onChoose(person)}>
            <Avatar person={person} />
            <span>{person.name}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
