// clock: the clock of tb under Icarus. No time unit matters; one cycle is two units.
module clock;
    reg clk = 1'b0;
    always #1 clk = ~clk;
    tb bench (.clk(clk));
endmodule
