// The clock of tb under Verilator. Ends with tb's $finish, or with status 1 after too many cycles.
#include "Vtb.h"
#include "verilated.h"

int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtb bench{&context};
    for (unsigned long cycle = 0; cycle < 2000000000UL && !context.gotFinish(); ++cycle) {
        bench.clk = 0;
        bench.eval();
        bench.clk = 1;
        bench.eval();
    }
    bench.final();
    return context.gotFinish() ? 0 : 1;
}
