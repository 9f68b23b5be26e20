/**
 * Who is logged in, in this tab. The token is in `sessionStorage`: it survives a reload and ends with the tab, so two tabs can be two people. An
 * application with a session cookie keeps nothing here, and asks its backend in `freshToken`.
 */
import { SignedOut } from "../collab/signed-out.ts";

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly color: string;
}

interface Login {
  readonly token: string;
  readonly user: Person;
}

const KEY = "righttask-login";

export class Session {
  readonly user: Person;
  #token: string;
  #refresh: Promise<string> | null = null;

  private constructor({ token, user }: Login) {
    this.user = user;
    this.#token = token;
  }

  static async login(userId: string): Promise<Session> {
    const response = await fetch("/api/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user: userId }),
    });
    if (!response.ok) throw new Error(`The login answered ${response.status}`);
    const login = (await response.json()) as Login;
    sessionStorage.setItem(KEY, JSON.stringify(login));
    return new Session(login);
  }

  /** The one of before a reload. */
  static restore(): Session | null {
    const kept = sessionStorage.getItem(KEY);
    return kept === null ? null : new Session(JSON.parse(kept) as Login);
  }

  /** @throws SignedOut when the backend knows this session no more */
  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${this.#token}`);
    const response = await fetch(`/api${path}`, { ...init, headers });
    if (response.status === 401) throw new SignedOut("The session has ended");
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response;
  }

  /**
   * A fresh token, for each connect and whenever the server asks for one. While the backend is away the one from before has to do: the collaboration
   * server says whether it still does.
   *
   * @throws SignedOut when only a new login helps
   */
  readonly freshToken = (): Promise<string> => {
    // One request for all who ask at the same time.
    this.#refresh ??= this.#fetchToken().finally(() => (this.#refresh = null));
    return this.#refresh;
  };

  /** With what else the tab remembers of this person: which boards there are, who is in the team. */
  end(): void {
    sessionStorage.clear();
  }

  async #fetchToken(): Promise<string> {
    try {
      const response = await this.request("/auth/refresh", { method: "POST" });
      const { token } = (await response.json()) as { token: string };
      this.#token = token;
      sessionStorage.setItem(KEY, JSON.stringify({ token, user: this.user } satisfies Login));
    } catch (error) {
      if (error instanceof SignedOut) throw error;
    }
    return this.#token;
  }
}
