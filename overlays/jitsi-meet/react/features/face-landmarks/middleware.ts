/*
 * hardener: no face detection and no expressions: upstream sends them to all participants, and to where the operator says.
 */
export {};
