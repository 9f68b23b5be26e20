import { useCallback, useState } from "react";
import { LoginPage } from "./session/login-page.tsx";
import { Session } from "./session/session.ts";
import { Workspace } from "./workspace.tsx";

export function App() {
  const [session, setSession] = useState(() => Session.restore());
  const [notice, setNotice] = useState<string | null>(null);

  const signedOut = useCallback(
    (reason: string | null) => {
      session?.end();
      setNotice(reason);
      setSession(null);
    },
    [session],
  );

  if (!session) return <LoginPage notice={notice} onLogin={setSession} />;
  return <Workspace session={session} onSignedOut={signedOut} />;
}
