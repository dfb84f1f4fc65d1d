"""The C interface by ctypes: libvarve.so of the release build (a sanitizer's library cannot be loaded into another program)."""
import ctypes
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("VARVE_BUILD") or ROOT / "build")
LIBRARY = BUILD / "libvarve.so"


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("name", ctypes.c_char_p), ("sqlstate", ctypes.c_char_p), ("http_status", ctypes.c_int), ("retriable", ctypes.c_bool),
                ("message", ctypes.c_char_p), ("detail", ctypes.c_char_p), ("hint", ctypes.c_char_p), ("context", ctypes.c_char_p),
                ("position", ctypes.c_int64), ("line", ctypes.c_int64), ("column", ctypes.c_int64)]

    def problem(self):
        """The same members as the problem objects of the other doors."""
        def text(value):
            return value.decode() if value else None

        found = {"code": text(self.name), "sqlstate": text(self.sqlstate), "status": self.http_status, "retriable": self.retriable,
                 "detail": text(self.message), "explanation": text(self.detail), "hint": text(self.hint), "context": text(self.context)}
        if self.position >= 0:
            found["position"] = {"offset": self.position, "line": self.line, "column": self.column}
        return {key: value for key, value in found.items() if value is not None}


WRITE = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


def why_no_library():
    return None if LIBRARY.exists() else f"{LIBRARY} is not built (./dev build)"


class Session:
    """One lake, one session."""

    def __init__(self, lake):
        self.library = ctypes.CDLL(str(LIBRARY))
        self.db, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("varve_open", os.fsencode(lake), None, ctypes.byref(self.db))
        self._call("varve_connect", self.db, None, ctypes.byref(self.session))

    def _call(self, function, *args):
        error = Error(position=-1)
        code = getattr(self.library, function)(*args, ctypes.byref(error))
        problem = error.problem() if code else None
        self.library.varve_error_free(ctypes.byref(error))
        if code:
            raise Refused(problem)

    def csv(self, sql):
        """The rows as CSV; raises Refused."""
        result, chunks, count = ctypes.c_void_p(), [], ctypes.c_int64()

        def collect(_, data, length):
            chunks.append(ctypes.string_at(data, length))
            return True

        try:
            self._call("varve_query", self.session, sql if isinstance(sql, bytes) else sql.encode(), ctypes.byref(result))
            self._call("varve_result_write", result, b"csv", None, WRITE(collect), None, ctypes.byref(count))
        finally:
            self.library.varve_result_free(ctypes.byref(result))
        return b"".join(chunks).decode()

    def close(self):
        self.library.varve_session_close(ctypes.byref(self.session))
        self.library.varve_close(ctypes.byref(self.db))


class Refused(Exception):
    def __init__(self, problem):
        self.problem = problem
        super().__init__(f"{problem['code']}: {problem['detail']}")
