import type { Codec } from '../../core/codec.ts';

/** Keys of copies begin so. */
export const COPIES = 'copy ';

/**
 * Where copies are: everything, what belongs to a partition, or the variants of a URL; each begins with the one before.
 * Neither an encoded partition nor a URL has a space in it, so no two of them make one place.
 */
export function placeOf(partition?: string, url?: string): string {
  if (partition === undefined) return COPIES;
  const whole = `${COPIES}${encodeURIComponent(partition)} `;
  return url === undefined ? whole : `${whole}${bare(url)} `;
}

/** All the places that a place lies in, itself included. */
export const placesAround = (partition: string, url: string): string[] => [
  placeOf(),
  placeOf(partition),
  placeOf(partition, url),
];

/** The place as it is written: where records are sealed, their keys tell nothing either. */
export async function storedPlaceOf(
  codec: Codec | undefined,
  partition?: string,
  url?: string,
): Promise<string> {
  if (!codec || partition === undefined) return placeOf(partition, url);
  const whole = `${COPIES}${await codec.name(partition)} `;
  // With the partition: the same page is not to be recognised as the same for two people.
  return url === undefined ? whole : `${whole}${await codec.name(placeOf(partition, url))} `;
}

/** A fragment is the page's own business and never reaches the origin. */
const bare = (url: string): string => url.split('#', 1)[0] as string;
