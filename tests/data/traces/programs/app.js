class MyFailure extends Error { constructor(m,o){super(m,o); this.name='MyFailure';} }
function f(n){ if(n==0) throw new TypeError("x is not a function"); f(n-1); }
const c={uncaught(){f(3)}, printed(){ try{f(2)}catch(e){console.error(e)} }, code(){require('fs').readFileSync('/nonexistent')},
 cause(){ try{f(1)}catch(e){ throw new Error("outer",{cause:e}) } }, reject(){ Promise.reject(new RangeError("async")) },
 module(){ require('nothere') }, string(){ throw "a string" }, own(){ throw new MyFailure("mine") },
 agg(){ console.error(new AggregateError([new Error("a"),new Error("b")],"all failed")) } };
c[process.argv[2]]();
