/* The shared library's own object: its code comes whole from the rooms' archives. */
extern const char varve_library_version[];
const char varve_library_version[] = VARVE_VERSION;
