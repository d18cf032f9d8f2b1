/*
 * hardener: the worker is a file of the own origin, not a text in a blob.
 */
export * from '../../../hardener/backgroundTimer';
