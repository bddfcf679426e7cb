// Blocks that are measured but not instantiated: one multiply-add and one multiply-accumulate register,
// and the smallest parts of the score and the selection. Read by wccsim/rtl/synth.py.

// product + 32-bit addend
module multiply_add #(parameter AW = 8, parameter BW = 8) (
    input wire [AW-1:0] a, input wire [BW-1:0] b, input wire [31:0] addend, output wire [31:0] sum);
    wire [AW+BW-1:0] product;
    multiplier #(.AW(AW), .BW(BW)) multiply (.a(a), .b(b), .product(product));
    assign sum = {{(32-AW-BW){product[AW+BW-1]}}, product} + addend;
endmodule

// The same with the 32-bit accumulator as a register.
module multiply_accumulate #(parameter AW = 8, parameter BW = 8) (
    input wire clk, input wire [AW-1:0] a, input wire [BW-1:0] b, output reg [31:0] stored);
    wire [31:0] sum;
    multiply_add #(.AW(AW), .BW(BW)) add (.a(a), .b(b), .addend(stored), .sum(sum));
    always @(posedge clk) stored <= sum;
endmodule

// Magnitude and square of one signed word.
module squarer #(parameter IW = 14) (input wire signed [IW-1:0] value, output wire [2*IW-1:0] square);
    assign square = value * value;
endmodule

module adder #(parameter IW = 37) (input wire [IW-1:0] a, input wire [IW-1:0] b, output wire [IW-1:0] sum);
    assign sum = a + b;
endmodule

// The comparison of the marking walk: greater, or equal.
module comparator #(parameter IW = 37) (
    input wire [IW-1:0] key, input wire [IW-1:0] threshold, output wire greater, output wire equal);
    assign greater = key > threshold;
    assign equal = key == threshold;
endmodule

module register #(parameter IW = 32) (input wire clk, input wire [IW-1:0] d, output reg [IW-1:0] q);
    always @(posedge clk) q <= d;
endmodule
