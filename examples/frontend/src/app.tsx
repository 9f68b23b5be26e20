import { useCallback, useEffect, useState } from "react";
import { LoginPage } from "./session/login-page.tsx";
import { Session } from "./session/session.ts";
import { Workspace } from "./workspace.tsx";

export function App() {
  const [session, setSession] = useState(() => Session.restore());
  const [notice, setNotice] = useState<string | null>(null);

  const signedOut = useCallback(
    (reason: string | null) => {
      session?.end();
      // An answer that comes late ends its own session, not that of whoever is here now.
      setSession((current) => (current === session ? null : current));
      setNotice(reason);
    },
    [session],
  );

  useEffect(
    () => session?.onEndedElsewhere(() => signedOut("You were signed out in another tab.")),
    [session, signedOut],
  );

  if (!session) return <LoginPage notice={notice} onLogin={setSession} />;
  return <Workspace session={session} onSignedOut={signedOut} />;
}
