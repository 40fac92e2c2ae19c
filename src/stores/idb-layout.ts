/** Items, without their bodies, so that a page of them can be read without reading what they carry. */
export const ITEMS = 'items';
export const BODIES = 'bodies';
export const BY_GROUP = 'by-group';
export const BY_COLLECTION = 'by-collection';
