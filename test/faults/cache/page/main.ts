/** The functions that tests call in a page. */
import type { StaleCacheOptions } from '../../../../src/index.ts';
import * as database from './database.ts';
import { type Network, Reader, type User } from './reader.ts';
import type { Reading } from './reading.ts';
import { type Roamed, type Roaming, roam } from './roam.ts';

let reader: Reader;

const page = {
  /** As a page that was just loaded: nothing is in memory. */
  begin(origin: string, options: StaleCacheOptions = {}): void {
    // Without await: its database may hang.
    reader?.close();
    reader = new Reader(origin, options);
  },

  close: (): Promise<void> => reader.close(),

  become(user: User): void {
    reader.user = user;
  },

  /** The origin of this tab from now on. */
  network(network: Network): void {
    reader.network = network;
  },

  read: (path: string): Promise<Reading> => reader.read(path),

  /** One after the other. */
  async readAll(paths: readonly string[]): Promise<Reading[]> {
    const readings: Reading[] = [];
    for (const path of paths) readings.push(await reader.read(path));
    return readings;
  },

  readAtOnce: (paths: readonly string[]): Promise<Reading[]> =>
    Promise.all(paths.map((path) => reader.read(path))),

  write: (path: string): Promise<Reading> => reader.write(path),

  keep: (path: string): Promise<string> => reader.keep(path),

  clear: (partition: User): Promise<number> => reader.clear(partition),

  /** The types of all events so far. */
  emitted: (): readonly string[] => reader.emitted,

  roam: (roaming: Roaming): Promise<Roamed> => roam(reader, roaming),

  /** As a browser that clears all stored data of a site. */
  clearSiteData: async (): Promise<void> => void (await fetch('/forget')),

  damages: (): string[] => Object.keys(database.damages),
  damage: (damage: string): Promise<void> | undefined => database.damages[damage]?.(),
  holdOpen: database.holdOpen,
  letGo: database.letGo,
  createEmpty: database.createEmpty,
  remove: database.remove,
  fillDisk: database.fillDisk,
  fields: database.fields,
  spoil: database.spoil,
};

export type Page = typeof page;

Object.assign(globalThis, { page });
