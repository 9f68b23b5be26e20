/**
 * Who is logged in, in this tab. An application with a session cookie keeps no token here, and asks its backend in `freshToken`.
 */
import { SignedOut } from "../collab/signed-out.ts";
import { Remembered, rememberedOfAll, setTabUser, tabUser } from "./remembered.ts";

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly color: string;
}

export interface Login {
  readonly token: string;
  readonly user: Person;
}

const LOGIN = "login";

export class Session {
  readonly user: Person;
  readonly remembered: Remembered;
  #token: string;
  #refresh: Promise<string> | null = null;

  constructor({ token, user }: Login) {
    this.user = user;
    this.#token = token;
    this.remembered = new Remembered(user.id);
    setTabUser(user.id);
    this.remembered.write(LOGIN, { token, user } satisfies Login);
  }

  static async login(userId: string): Promise<Session> {
    const response = await fetch("/api/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user: userId }),
    });
    if (!response.ok) throw new Error(`The login answered ${response.status}`);
    return new Session((await response.json()) as Login);
  }

  /** The one of before a reload. */
  static restore(): Session | null {
    const userId = tabUser();
    const login = userId === null ? null : (new Remembered(userId).read(LOGIN) as Login | null);
    return login && new Session(login);
  }

  /** Who can go on without a network: all who have not signed out on this device. */
  static remembered(): readonly Login[] {
    return rememberedOfAll(LOGIN) as Login[];
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
  freshToken(): Promise<string> {
    // One request for all who ask at the same time.
    this.#refresh ??= this.#fetchToken().finally(() => (this.#refresh = null));
    return this.#refresh;
  }

  /** Nothing of this person is remembered on this device any more. */
  end(): void {
    this.remembered.forget();
  }

  /** Calls back when the same person signs out in another tab, or their session ends there. */
  onEndedElsewhere(callback: () => void): () => void {
    const key = this.remembered.keyOf(LOGIN);
    const follow = (event: StorageEvent): void => {
      if (event.key === key && event.newValue === null) callback();
    };
    addEventListener("storage", follow);
    return () => removeEventListener("storage", follow);
  }

  async #fetchToken(): Promise<string> {
    try {
      const response = await this.request("/auth/refresh", { method: "POST" });
      const { token } = (await response.json()) as { token: string };
      this.#token = token;
      // An answer that comes after the end would log in again whoever has just signed out in another tab; here it is remembered no more.
      if (this.remembered.read(LOGIN) !== null)
        this.remembered.write(LOGIN, { token, user: this.user } satisfies Login);
    } catch (error) {
      if (error instanceof SignedOut) throw error;
    }
    return this.#token;
  }
}
