/* version - which seam this is: at compile time as macros, at run time as a function.
 *
 * SEAM_VERSION_NUMBER compares (0.1.0 is 100): #if SEAM_VERSION_NUMBER >= 100. A program linked against the shared
 * library asks seam_version_number() for the one it found. Formats on disk have versions of their own.
 * The Makefile reads the three numbers from here; nothing else repeats them.                       */
#ifndef SEAM_ENGINE_VERSION_H
#define SEAM_ENGINE_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define SEAM_VERSION_MAJOR 0
#define SEAM_VERSION_MINOR 1
#define SEAM_VERSION_PATCH 0

#define SEAM_VERSION_TEXT_(a, b, c) #a "." #b "." #c
#define SEAM_VERSION_TEXT(a, b, c)  SEAM_VERSION_TEXT_(a, b, c)
#define SEAM_VERSION                SEAM_VERSION_TEXT(SEAM_VERSION_MAJOR, SEAM_VERSION_MINOR, SEAM_VERSION_PATCH)
#define SEAM_VERSION_NUMBER                                                                        \
    (SEAM_VERSION_MAJOR * 10000 + SEAM_VERSION_MINOR * 100 + SEAM_VERSION_PATCH)

const char *seam_version(void); /* "0.1.0" */
int seam_version_number(void);

#ifdef __cplusplus
}
#endif

#endif
