export interface Session {
  readonly user: string;
  readonly token: string;
}

const KEY = 'session';

/** Lasts as long as the tab, also over a reload. */
export const session = {
  get current(): Session | undefined {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  },
  begin: (opened: Session) => sessionStorage.setItem(KEY, JSON.stringify(opened)),
  end: () => sessionStorage.removeItem(KEY),
};
