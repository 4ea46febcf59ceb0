import sys
class E(Exception): pass
def f(n):
    if n == 0: return {}["missing"]
    f(n-1)
def chained():
    try: f(1)
    except KeyError as e: raise E("could not load") from e
def during():
    try: f(1)
    except KeyError as e: int("x")
def group():
    raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])
def caught(error):
    try: raise error
    except Exception as e: return e
def nested(last=False):
    inner = ExceptionGroup("inner", [caught(ValueError(1)), caught(ValueError("two"))])
    raise ExceptionGroup("outer", [caught(ValueError(3)), inner] if last else [inner, caught(ValueError(3))])
def nested_last(): nested(True)
def grouped_cause():
    try:
        try: group()
        except ExceptionGroup as e: raise TypeError("t") from e
    except TypeError as t: inner = t
    try: raise ExceptionGroup("outer", [inner, caught(ValueError(2))])
    except ExceptionGroup as e: raise RuntimeError from e
def unraised():
    import traceback
    traceback.print_exception(ExceptionGroup("several", [caught(ValueError("one"))]))
def logged():
    import logging
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    try: f(1)
    except KeyError: logging.exception("it failed")
def recursion():
    sys.setrecursionlimit(60); 
    def g(): g()
    g()
def syntax(): compile("x = = 1\n", "app.py", "exec")
def thread():
    import threading
    t=threading.Thread(target=f,args=(1,)); t.start(); t.join()
globals()[sys.argv[1]](*( [2] if sys.argv[1]=="f" else []))
